"""Decoding in a process of its own: the same pictures, and an end to what takes too much."""

import os
import sys
import time
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from imaging.makers import chunk, png_with, saved, smooth
from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging.files import Limits, ReadOptions, encode, first_of, read, read_frames
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.sandbox import Sandbox

LARGE = b"P6 6000 5000 255\n" + bytes(90_000_000)
EXIF = Image.Exif()
EXIF.update({0x0112: 6, 0x010E: "a description"})
PICTURES = {
    "PNG": lambda: png_with(chunk(b"gAMA", (45455).to_bytes(4, "big")), chunk(b"tEXt", b"Title\0words")),
    "PNG of 16 bits with alpha": lambda: encode(
        Picture(smooth(dtype=np.uint16), smooth(channels=1, dtype=np.uint16)[..., 0]), "PNG"
    ),
    "JPEG that is turned": lambda: saved(Image.fromarray(smooth()), "JPEG", exif=EXIF, dpi=(72, 72)),
    "GIF": lambda: saved(
        Image.fromarray(smooth()), "GIF", save_all=True, append_images=[Image.fromarray(smooth()[::-1])]
    ),
    "WebP": lambda: saved(Image.fromarray(smooth()), "WEBP", xmp=b"<x/>"),
    "TIFF": lambda: encode(Picture(smooth(dtype=np.uint16)), "TIFF"),
    "CMYK": lambda: saved(Image.fromarray(smooth()).convert("CMYK"), "TIFF"),
}


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox(seconds=60)
    yield made
    made.close()


def same(one, other):
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_what_they_are_without(sandbox, name):
    data, options = PICTURES[name](), ReadOptions()
    found = list(sandbox.read_frames(data, options))
    expected = list(read_frames(data))
    assert len(found) == len(expected)
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))
    first = first_of(sandbox.read_frames(data, options, first_only=True))
    assert same(first, read(data))


def test_errors_are_those_without_and_the_next_picture_is_read(sandbox):
    options = ReadOptions(limits=Limits(pixels=100))
    for data in (b"rubbish", PICTURES["PNG"](), PICTURES["TIFF"]()[:300], b""):
        with pytest.raises(ReadError) as here:
            read(data, options=options)
        with pytest.raises(ReadError) as there:
            list(sandbox.read_frames(data, options))
        assert str(there.value) == str(here.value)
    assert list(sandbox.read_frames(PICTURES["WebP"](), ReadOptions()))


def test_time_and_memory_are_bounded():
    slow = Sandbox(seconds=0.02)
    start = time.monotonic()
    with pytest.raises(ReadError, match=r"took longer than 0\.02 s; raise --timeout"):
        next(slow.read_frames(LARGE, ReadOptions()))
    assert time.monotonic() - start < 30
    if sys.platform == "linux":
        tight = Sandbox(memory=60_000_000)
        with pytest.raises(ReadError, match="memory"):
            next(tight.read_frames(LARGE, ReadOptions()))
        tight.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_the_process_opens_and_writes_nothing(sandbox, tmp_path):
    """A flaw in a decoder, played by what reads the size of a picture."""
    code = (
        "import sys\n"
        "from enhance_cli.errors import ReadError\n"
        "from enhance_cli.imaging import decode, sandbox\n"
        "def flaw(*_, **__):\n"
        "    found = []\n"
        f"    for name in ({str(tmp_path / 'mark')!r}, '/etc/passwd'):\n"
        "        try:\n"
        "            open(name, 'w' if 'mark' in name else 'r')\n"
        "            found.append(name)\n"
        "        except OSError as error:\n"
        "            found.append(error.strerror)\n"
        "    raise ReadError(repr(found))\n"
        "load = sandbox._load_everything\n"
        "sandbox._load_everything = lambda: (load(), setattr(decode, 'read_frames', flaw))\n"
        "sandbox.serve(1 << 30, 10.0)\n"
    )

    class Flawed(Sandbox):
        command = (sys.executable, "-c", code)

    flawed = Flawed()
    with pytest.raises(ReadError, match=r"\['Too many open files', 'Too many open files'\]"):
        next(flawed.read_frames(b"x", ReadOptions()))
    flawed.close()
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "answer",
    [
        b'{"frame": 3, "lengths": []}\n',
        b'{"frame": {"picture": {}}, "lengths": [99999999999]}\n',
        b'{"frame": {"picture": {"pixels": {"blob": 0, "shape": [9, 9, 3, 1]}}}, "lengths": [1]}\nx',
        b"[" * 100_000 + b"\n",
        b"no JSON\n",
        b"",
    ],
)
def test_what_comes_back_is_not_trusted(answer):
    class Lying(Sandbox):
        command = (
            sys.executable,
            "-c",
            f"import sys; sys.stdout.buffer.write(b'ready\\n' + {answer!r}); sys.stdout.flush()",
        )

    with pytest.raises(ReadError, match="the process that decodes pictures") as caught:
        next(Lying(seconds=20).read_frames(b"x", ReadOptions()))
    assert "broken or hostile" in str(caught.value) and "\n" not in str(caught.value)
