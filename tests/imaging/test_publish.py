import errno
import os
import stat
import subprocess
import sys

import pytest

from enhance_cli.errors import ExistsError, WriteError
from enhance_cli.imaging import publish
from enhance_cli.imaging.publish import atomic, write_atomic

WRITER = """
import sys
from pathlib import Path
from enhance_cli.errors import ExistsError
from enhance_cli.imaging.publish import atomic

try:
    with atomic(Path(sys.argv[1]), overwrite=False) as file:
        file.write(sys.argv[2].encode() * 1000)
        print("has looked", flush=True)
        sys.stdin.readline()
    print("written")
except ExistsError as error:
    print(error)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_of_several_processes_one_publishes_and_the_others_say_so(tmp_path, attempt):
    path = tmp_path / "a.png"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    # All have looked, none has a name yet.
    assert [process.stdout.readline() for process in processes] == ["has looked\n"] * 4
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate()[0].strip() for process in processes]
    assert told.count("written") == 1
    assert path.read_bytes() == str(told.index("written")).encode() * 1000
    assert all("appeared while it was being made" in text for text in told if text != "written")
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("steps", ["no links", "no links, no such renaming"])
def test_without_links_nothing_is_replaced_either(tmp_path, monkeypatch, steps):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    if "no such renaming" in steps:
        monkeypatch.setattr(publish.ctypes, "CDLL", lambda *_, **__: object())
    write_atomic(tmp_path / "a.png", b"first", overwrite=False)
    with pytest.raises(ExistsError), atomic(tmp_path / "b.png", overwrite=False) as file:
        file.write(b"late")
        (tmp_path / "b.png").write_bytes(b"early")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.png": b"first",
        "b.png": b"early",
    }


def test_what_exists_is_refused_before_the_work(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(ExistsError, match="--overwrite"), atomic(tmp_path / "a.png", overwrite=False):
        pytest.fail("the block was entered")
    assert (tmp_path / "a.png").read_bytes() == b"old"


def special_files(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / "target.png").write_bytes(b"old")
    (folder / "link.png").symlink_to(folder / "target.png")
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    (folder / "folder.png").mkdir()
    return {"pipe": "named pipe", "link": "symbolic link", "dangling": "symbolic link", "folder": "folder"}


@pytest.mark.parametrize("overwrite", [True, False])
def test_only_regular_files_are_replaced(tmp_path, overwrite):
    for name, words in special_files(tmp_path).items():
        path = tmp_path / f"{name}.png"
        before = os.lstat(path)
        with pytest.raises(WriteError, match=words) as caught:
            write_atomic(path, b"new", overwrite=overwrite)
        assert "\n" not in str(caught.value)
        assert os.lstat(path).st_ino == before.st_ino
    assert (tmp_path / "target.png").read_bytes() == b"old"
    assert not (tmp_path / "nowhere.png").exists()
    assert len(os.listdir(tmp_path)) == 5


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o444])
def test_a_replaced_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic(path) as file:
        # Nobody can look into it meanwhile who could not before.
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
