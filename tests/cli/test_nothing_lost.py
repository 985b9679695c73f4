"""What the commands promise of files: none is replaced unasked, none lands elsewhere, records are no trap."""

import os
from pathlib import Path

import pytest

from enhance_cli.batch.records import RECORDS_NAME


def test_of_two_runs_for_one_name_the_second_says_so(enhance, picture, tmp_path, monkeypatch):
    """The other run publishes between the last look and the publishing itself."""
    picture("a.png")
    real = os.link

    def meanwhile(part, path):
        Path(path).write_bytes(b"of the other run")
        real(part, path)

    monkeypatch.setattr(os, "link", meanwhile)
    outcome = enhance("sr", "--json", "a.png", "out/")
    assert outcome.code == 1
    assert "appeared while it was being made" in outcome.of("file")[0]["error"]
    assert (tmp_path / "out/a.png").read_bytes() == b"of the other run"
    assert sorted(os.listdir("out")) == [RECORDS_NAME, "a.png"]


def test_a_record_that_cannot_be_written_leaves_no_picture(enhance, picture, tmp_path, monkeypatch):
    picture("a.png")
    real = os.write

    def short(handle, data):
        if b"input_sha256" in data:
            return real(handle, data[:10])
        if b"t_sha256" in data:
            raise OSError(28, "No space left on device")
        return real(handle, data)

    monkeypatch.setattr(os, "write", short)
    outcome = enhance("sr", "a.png", "out/")
    assert outcome.code == 1 and "No space left" in outcome.err
    assert os.listdir("out") == [RECORDS_NAME]
    assert Path("out", RECORDS_NAME).read_bytes() == b""


@pytest.mark.parametrize("rubbish", [b"[" * 200_000, b'{"output": "a.png", "output_sha256": [1]}'])
def test_rubbish_in_the_records_stops_nothing(enhance, picture, rubbish):
    picture("in/a.png")
    picture("out/b.png")
    Path("out", RECORDS_NAME).write_bytes(rubbish + b"\n")
    assert enhance("sr", "in", "out").code == 0
    assert "1 current" in enhance("sr", "in", "out").err
    picture("in/b.png")
    outcome = enhance("sr", "--quiet", "in", "out")
    assert outcome.code == 3
    assert "holds lines that are no records" in outcome.err and outcome.err.count("\n") == 1


def test_links_planted_in_the_output_take_nothing_elsewhere(enhance, picture, tmp_path):
    picture("in/sub/a.png")
    picture("in/b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere")
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.code == 3
    assert "a link leads to" in outcome.of("file")[1]["error"]
    assert os.listdir("elsewhere") == []
    # The folder that was named may be a link, and so may one that stays within it.
    (tmp_path / "out/sub").unlink()
    (tmp_path / "out/real").mkdir()
    (tmp_path / "out/sub").symlink_to("real")
    (tmp_path / "also").symlink_to("out")
    assert enhance("sr", "in", "also").code == 0
    assert (tmp_path / "out/real/a.png").is_file()


def test_records_behind_a_link_are_not_touched(enhance, picture, tmp_path):
    picture("in/a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out" / RECORDS_NAME).symlink_to(tmp_path / "mine")
    outcome = enhance("sr", "--quiet", "in", "out")
    assert outcome.code == 1
    assert "symbolic link" in outcome.err and outcome.err.count("\n") == 1
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "out/a.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_special_files_are_never_replaced(enhance, picture, tmp_path):
    picture("a.png")
    os.mkfifo("fifo.png")
    (tmp_path / "target.png").write_bytes(b"mine")
    (tmp_path / "link.png").symlink_to("target.png")
    for name, word in (("fifo.png", "named pipe"), ("link.png", "symbolic link")):
        outcome = enhance("sr", "--quiet", "--overwrite", "a.png", "-o", name)
        assert outcome.code == 1
        assert word in outcome.err and outcome.err.count("\n") == 1
    assert (tmp_path / "target.png").read_bytes() == b"mine"


def test_a_replaced_file_keeps_its_mode(enhance, picture):
    picture("a.png")
    os.chmod(picture("b.png", seed=1), 0o640)
    assert enhance("sr", "--overwrite", "a.png", "-o", "b.png").code == 0
    assert os.stat("b.png").st_mode & 0o777 == 0o640
