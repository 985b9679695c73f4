import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from enhance_cli.errors import UsageError, WriteError
from enhance_cli.imaging import publish
from enhance_cli.imaging.files import (
    IMAGE_SUFFIXES,
    encode,
    format_of,
    read,
    remove_leftovers,
    write_atomic,
)
from enhance_cli.imaging.formats import FORMATS, RAW_SUFFIXES
from enhance_cli.imaging.picture import Picture

CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8], CORNERS[:8, 16:], CORNERS[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def test_formats_by_suffix():
    read_only = {".pbm", ".pam", ".pfm"} | RAW_SUFFIXES
    assert {format_of(Path(f"x{suffix}")) for suffix in IMAGE_SUFFIXES - read_only} == set(FORMATS)
    assert format_of(Path("a.b/PHOTO.JPG")) == "JPEG"
    with pytest.raises(UsageError, match=r"\.pbm"):
        format_of(Path("x.pbm"))
    with pytest.raises(UsageError, match="suffix"):
        format_of(Path("png"))


@pytest.mark.parametrize(
    "name", ["plain.png", "über 100%d %s.png", "日本語.png", "'quo\"tes'.png", "x" * 240 + ".png"]
)
def test_any_name_is_written_and_read(tmp_path, name):
    path = tmp_path / "new" / "folder" / name
    write_atomic(path, encode(Picture(CORNERS), "PNG"))
    assert np.array_equal(read(path).pixels, CORNERS)
    assert [item.name for item in path.parent.iterdir()] == [name]


def test_writing_replaces_and_honours_the_umask(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    (tmp_path / "plain").write_bytes(b"")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def failing(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, step):
    (tmp_path / "a.png").write_bytes(b"old")
    monkeypatch.setattr(publish.os, step, failing(OSError(28, "No space left on device")))
    with pytest.raises(WriteError) as caught:
        write_atomic(tmp_path / "a.png", b"new")
    assert "No space left on device" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(publish.os, "replace", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_any_error_while_a_file_is_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError), publish.atomic(tmp_path / "a.png") as file:
        file.write(b"half")
        assert len(os.listdir(tmp_path)) == 1
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(WriteError, match="blocked"):
        write_atomic(tmp_path / "blocked" / "a.png", b"data")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError, match="ermission"):
        write_atomic(tmp_path / "a.png", b"data")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["plain.png", "x" * 240 + ".png"])
def test_leftovers_are_known_by_the_names_that_writing_gives(tmp_path, monkeypatch, name):
    # As if killed just before the renaming.
    monkeypatch.setattr(os, "replace", lambda part, path: None)
    write_atomic(tmp_path / name, b"half")
    remove_leftovers([tmp_path / "other.png", tmp_path / "nowhere" / name], before=math.inf)
    remove_leftovers([tmp_path / name], before=0)
    assert len(os.listdir(tmp_path)) == 1
    remove_leftovers([tmp_path / name], before=math.inf)
    assert os.listdir(tmp_path) == []


def test_what_is_still_being_written_is_no_leftover(tmp_path):
    pytest.importorskip("fcntl")
    with publish.atomic(tmp_path / "a.png") as file:
        remove_leftovers([tmp_path / "a.png"], before=math.inf)
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"whole"


def test_packages_for_single_formats_are_imported_when_needed():
    code = "import sys, enhance_cli.imaging.files; print(*{'pillow_heif', 'pillow_jxl'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
