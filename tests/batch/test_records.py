"""What a rerun may trust."""

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


def test_half_lines_are_passed_over_and_ended(tmp_path):
    path = write(tmp_path, "a.png", b"result")
    with (tmp_path / RECORDS_NAME).open("ab") as file:
        file.write(b'{"output": "b.p')
    other = write(tmp_path, "c.png", b"other")
    assert current(path)
    assert current(other)
    assert len((tmp_path / RECORDS_NAME).read_bytes().splitlines()) == 3


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
