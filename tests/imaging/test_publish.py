import errno
import multiprocessing
import os
import stat

import pytest

from enhance_cli.errors import ExistsError, WriteError
from enhance_cli.imaging import publish
from enhance_cli.imaging.publish import atomic, write_atomic


def _write_at_once(path, number, start, results):
    try:
        with atomic(path, overwrite=False) as file:
            file.write(b"%d" % number * 1000)
            # All have looked, none has a name yet.
            start.wait()
        results.put((number, "written"))
    except ExistsError as error:
        results.put((number, str(error)))


@pytest.mark.parametrize("attempt", range(5))
def test_of_several_processes_one_publishes_and_the_others_say_so(tmp_path, attempt):
    context = multiprocessing.get_context("fork")
    path, start, results = tmp_path / "a.png", context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_write_at_once, args=(path, number, start, results)) for number in range(4)
    ]
    for process in processes:
        process.start()
    told = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    winners = [number for number, text in told if text == "written"]
    assert len(winners) == 1
    assert path.read_bytes() == b"%d" % winners[0] * 1000
    assert all("appeared while it was being made" in text for _, text in told if text != "written")
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
