"""Inputs that cost more than they should, or are none."""

import os

import pytest
from PIL import Image


@pytest.fixture
def hollow(tmp_path):
    """A PNG with two gigabytes of nothing behind it."""
    path = tmp_path / "hollow.png"
    Image.new("RGB", (8, 8), (90, 120, 90)).save(path)
    os.truncate(path, 2 << 30)
    return path


def test_a_file_that_is_too_long_is_not_read(enhance, hollow):
    outcome = enhance("sr", "--quiet", "hollow.png", "out/")
    assert outcome.code == 1
    assert "--limit file_bytes=N" in outcome.err and outcome.err.count("\n") == 1


def test_a_limit_is_raised_by_name(enhance, picture):
    picture("a.jpg", progressive=True)
    size = os.path.getsize("a.jpg")
    assert enhance("sr", "--limit", "scans=1", "a.jpg", "out/").code == 1
    outcome = enhance("sr", "--limit", f"file_bytes={size - 1}", "--limit", "scans=99", "a.jpg", "out/")
    assert outcome.code == 1 and f"{size - 1}" in outcome.err
    assert enhance("sr", "--limit", f"file_bytes={size}", "a.jpg", "out/").code == 0
    for wrong in ("scans", "scans=0", "nonsense=3"):
        outcome = enhance("sr", "--limit", wrong, "a.jpg", "out/")
        assert outcome.code == 2 and "scans" in outcome.err


def test_standard_input_is_read_up_to_the_limit(enhance, picture):
    data = picture("a.png").read_bytes()
    outcome = enhance("sr", "--quiet", "--limit", f"file_bytes={len(data) - 1}", "-", stdin=data)
    assert outcome.code == 1 and "--limit file_bytes=N" in outcome.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_the_inputs_fails_alone(enhance, picture):
    picture("a.png")
    os.mkfifo("fifo.png")
    outcome = enhance("sr", "--json", "a.png", "fifo.png", "-o", "out")
    assert outcome.code == 3
    assert [one["status"] for one in outcome.of("file")] == ["done", "failed"]
    assert "standard input" in outcome.of("file")[1]["error"]
