import io
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from imaging.makers import noise, saved, smooth
from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging.files import (
    encode,
    read,
)
from enhance_cli.imaging.picture import Picture

CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8], CORNERS[:8, 16:], CORNERS[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def message_of(source, **how):
    with pytest.raises(ReadError) as caught:
        read(source, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_folder_and_empty(tmp_path):
    assert "no such file" in message_of(tmp_path / "none.png")
    assert "folder" in message_of(tmp_path)
    (tmp_path / "empty.png").touch()
    assert message_of(tmp_path / "empty.png") == f"{tmp_path}/empty.png: the file is empty"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path):
    path = tmp_path / "closed.png"
    path.write_bytes(b"x")
    path.chmod(0)
    assert "permission" in message_of(path)


def test_unreadable_even_where_permissions_do_not_count(tmp_path, monkeypatch):
    def refuse(self, mode):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    assert "no permission" in message_of(tmp_path / "a.png")


@pytest.mark.parametrize(
    "data", [b"hello\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 99]
)
def test_no_picture(data):
    message_of(data)


def tiff_of(dtype, shape=(8, 8, 3), **how):
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, np.zeros(shape, dtype), photometric="rgb" if len(shape) == 3 else "minisblack", **how
    )
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.float16, np.int16, np.int32, np.complex64])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_tiff_of_signed_or_rare_samples(dtype, shape):
    assert "16 bits per channel" in message_of(tiff_of(dtype, shape))


def samples_to_cut():
    pixels, deep = smooth(96, 96), noise((40, 40, 3), np.uint16)
    image = Image.fromarray(pixels)
    return {
        "jpeg": saved(image, "JPEG"),
        "progressive": saved(image, "JPEG", progressive=True),
        "png": saved(image),
        "png16": encode(Picture(deep), "PNG"),
        "png16 gray": saved(Image.fromarray(deep[..., 0])),
        "webp": saved(image, "WEBP"),
        "webp lossless": saved(image, "WEBP", lossless=True),
        "tiff": tiff_of(np.uint8, (96, 96, 3)),
        "tiff16": tiff_of(np.uint16, (40, 40, 3)),
        "bmp": saved(image, "BMP"),
        "pnm16": encode(Picture(deep), "PPM"),
    }


@pytest.mark.parametrize("name", samples_to_cut())
def test_a_file_cut_off_is_an_error_wherever_it_is_cut(name):
    data = samples_to_cut()[name]
    for cut in [*range(1, len(data), len(data) // 25), len(data) - 12, len(data) - 6]:
        message_of(data[:cut])


def test_a_compressed_tiff_cut_off_is_an_error(capfd):
    for pixels in (smooth(96, 96), noise((40, 40, 3), np.uint16)):
        data = encode(Picture(pixels), "TIFF")
        for cut in (len(data) // 2, len(data) - 40, len(data) - 1):
            message_of(data[:cut])
    capfd.readouterr()


def test_the_size_is_checked_before_decoding():
    bomb = saved(Image.new("1", (20_000, 20_000)))
    text = message_of(bomb)
    assert "20000x20000" in text
    assert "--max-pixels" in text
    assert read(saved(Image.fromarray(CORNERS)), max_pixels=16 * 24).width == 24
    assert "384 pixels" in message_of(saved(Image.fromarray(CORNERS)), max_pixels=16 * 24 - 1)


def cut_exif():
    exif = Image.Exif()
    exif.update({0x010F: "Maker of cameras", 0x0110: "Model X"})
    return exif.tobytes()[:50]


def test_reading_is_quiet_and_safe_in_threads():
    """Pillow warns about this file (its EXIF ends early); nothing may come out, in any thread."""
    odd = saved(Image.fromarray(CORNERS), "JPEG", exif=cut_exif())
    results = []

    def work():
        results.extend(read(odd).pixels.shape for _ in range(20))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [CORNERS.shape] * 80
    assert caught == []
