"""What a rerun may trust."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from enhance_cli.batch.records import RECORDS_NAME, Record, Records, sha256_of
from enhance_cli.errors import ReadError, WriteError

SETTINGS = {"task": "sr", "scale": 2.0}


def write(folder, name, content, **fields):
    """An output with its record."""
    path = folder / name
    path.write_bytes(content)
    values = {"input_sha256": "in", "settings": SETTINGS, "weights_sha256": "w", **fields}
    Records().append(folder, Record(name, sha256_of(path), **values))
    return path


def current(path, *, records=None, input_sha256="in", settings=SETTINGS, weights=("w",)):
    records = records or Records()
    return records.is_current(path, input_sha256=input_sha256, settings=settings, weights=set(weights))


def test_an_output_is_current_only_while_everything_matches(tmp_path):
    path = write(tmp_path, "a.png", b"result")
    assert current(path)
    assert current(path, weights=("other", "w"))
    assert not current(path, input_sha256="other")
    assert not current(path, settings={**SETTINGS, "scale": 3.0})
    assert not current(path, weights=("other",))
    path.write_bytes(b"res")
    assert not current(path)


def test_the_conflict_says_why(tmp_path):
    path = write(tmp_path, "a.png", b"result")
    assert "other settings" in Records().conflict(path)
    path.write_bytes(b"changed")
    assert "changed since" in Records().conflict(path)
    other = tmp_path / "b.png"
    other.write_bytes(b"foreign")
    assert "did not write it" in Records().conflict(other)
    assert "--overwrite" in Records().conflict(other)


def test_older_records_of_a_file_still_count(tmp_path):
    path = write(tmp_path, "a.png", b"first")
    # A run that was killed after the record and before the rename.
    Records().append(tmp_path, Record("a.png", "never", "in", {"task": "sr", "scale": 4.0}, "w"))
    assert current(path)


def test_half_lines_are_passed_over_and_cut_off(tmp_path):
    path = write(tmp_path, "a.png", b"result")
    with (tmp_path / RECORDS_NAME).open("ab") as file:
        file.write(b'{"output": "b.p')
    other = write(tmp_path, "c.png", b"other")
    assert current(path)
    assert current(other)
    assert len((tmp_path / RECORDS_NAME).read_bytes().splitlines()) == 2


@pytest.mark.parametrize("line", [b"[1, 2]", b"null", b'{"output": "a.png"}', b"\xff\xfe"])
def test_foreign_lines_are_passed_over(tmp_path, line):
    (tmp_path / RECORDS_NAME).write_bytes(line + b"\n")
    assert not Records().knows(tmp_path / "a.png")


def test_names_of_any_kind_survive(tmp_path):
    for name in ("Größe 100%.png", "new\nline.png"):
        assert current(write(tmp_path, name, b"result"))
        assert Records().knows(tmp_path / name)


def test_trouble_with_the_disk_is_an_image_error(tmp_path):
    record = Record("a.png", "o", "i", {}, "w")
    with pytest.raises(WriteError, match="check the folder"):
        Records().append(tmp_path / "nowhere", record)
    (tmp_path / RECORDS_NAME).mkdir()
    with pytest.raises(ReadError):
        Records().knows(tmp_path / "a.png")


def test_a_whole_line_that_lacks_its_end_counts(tmp_path):
    path = write(tmp_path, "a.png", b"result")
    records = tmp_path / RECORDS_NAME
    records.write_bytes(records.read_bytes()[:-1])
    assert current(path)
    assert current(write(tmp_path, "b.png", b"other")) and current(path)


@pytest.mark.parametrize("fault", ["short", "full"])
def test_a_line_is_written_whole_or_not_at_all(tmp_path, monkeypatch, fault):
    path = write(tmp_path, "a.png", b"result")
    before = (tmp_path / RECORDS_NAME).read_bytes()
    real, calls = os.write, []

    def faulty(handle, data):
        calls.append(len(data))
        if fault == "full" and len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:20])

    monkeypatch.setattr(os, "write", faulty)
    if fault == "short":
        assert current(write(tmp_path, "b.png", b"other"))
        assert len(calls) > 2
    else:
        with pytest.raises(WriteError, match="No space left"):
            write(tmp_path, "b.png", b"other")
        assert (tmp_path / RECORDS_NAME).read_bytes() == before
    assert current(path)


ALL = b'"output_sha256": "", "input_sha256": "in", "settings": {}, "weights_sha256": "w"}'
RUBBISH = [
    b"[" * 200_000,
    b'{"a":' * 20_000,
    b'{"output": "a.png", ' + ALL.replace(b'""', b"[]"),
    b'{"output": ["a.png"], ' + ALL,
    b'{"output": "a.png", ' + ALL.replace(b"{}", b"3"),
    b"9" * 50_000,
    b"\0" * 100_000,
]


@pytest.mark.parametrize("line", RUBBISH, ids=lambda line: line[:60].decode())
def test_rubbish_tells_nothing_and_is_named(tmp_path, line):
    path = write(tmp_path, "a.png", b"result")
    records = tmp_path / RECORDS_NAME
    records.write_bytes(line + b"\n" + records.read_bytes())
    assert current(path)
    other = tmp_path / "b.png"
    other.write_bytes(b"?")
    assert not current(other)
    assert "holds lines that are no records" in Records().conflict(other)


def test_a_link_in_place_of_the_records_is_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine\n")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / RECORDS_NAME).symlink_to(secret)
    with pytest.raises(WriteError, match="symbolic link"):
        Records().append(folder, Record("a.png", "o", "i", {}, "w"))
    with pytest.raises(ReadError, match="symbolic link"):
        Records().knows(folder / "a.png")
    assert secret.read_bytes() == b"mine\n"


def test_what_another_version_adds_is_no_harm(tmp_path):
    path = write(tmp_path, "a.png", b"result")
    records = tmp_path / RECORDS_NAME
    records.write_bytes(records.read_bytes().replace(b"{", b'{"new": 1, ', 1))
    assert current(path)


def test_many_writers_leave_whole_lines(tmp_path):
    def add(number):
        Records().append(tmp_path, Record(f"{number}.png", "o", "i", {}, "w"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(60)))
    assert all(Records().knows(tmp_path / f"{number}.png") for number in range(60))
