"""What goes to stdout and what to stderr, on terminals and elsewhere."""

import io
import os
import sys

import pytest

from enhance_cli.batch.progress import FileDone, Seconds, Start, Summary, TileDone, Waited
from enhance_cli.cli.console import BatchConsole, error


class Terminal(io.StringIO):
    def isatty(self):
        return True


def attach(monkeypatch):
    """stdout as a pipe and stderr as a terminal."""
    monkeypatch.setenv("TERM", "xterm")
    for name, stream in (("stdout", io.StringIO()), ("stderr", Terminal())):
        monkeypatch.setattr(sys, name, stream)
    return sys.stdout, sys.stderr


def events():
    for number in range(3):
        name = f"in/[bold]{number}[/].png"
        yield TileDone(name, 1, 2)
        yield TileDone(name, 2, 2)
        yield FileDone(input=name, output="out", status="done", output_size=(4, 3), warnings=("take care",))
    yield Summary(done=3, current=0, skipped=0, failed=0, seconds=1.0, megapixels=1.0)


def show(**flags):
    console = BatchConsole(**{"json": False, "quiet": False, "debug": False, **flags})
    with console.progress(3):
        for event in events():
            console.show(event)


def test_data_goes_to_stdout_and_talk_to_the_terminal(monkeypatch):
    out, err = attach(monkeypatch)
    show(json=True)
    assert [line[:10] for line in out.getvalue().splitlines()] == ['{"event": '] * 4
    talk = err.getvalue()
    assert '"event"' not in talk
    assert "pictures" in talk and "\x1b[" in talk
    assert "warning: in/[bold]0[/].png: take care" in talk, "names are no markup"
    assert "3 done" in talk


def test_names_cannot_break_lines_or_steer_the_terminal(monkeypatch, capsys):
    name = "two\nlines\x1b[2J\udce9  wide.png"
    shown = r"two\nlines\x1b[2J\udce9  wide.png"
    console = BatchConsole(json=False, quiet=False, debug=False)
    console.show(FileDone(input=name, output="out", status="done", warnings=("care",)))
    console.show(FileDone(input=name, output="out", status="failed", error="empty"))
    error(f"{name} is missing")
    assert capsys.readouterr().err.splitlines() == [
        f"done {shown} -> out  0.0 s",
        f"warning: {shown}: care",
        f"failed {shown}: empty",
        f"enhance: error: {shown} is missing",
    ]


def test_no_bar_where_nobody_watches_or_json_shares_the_screen(monkeypatch):
    out, err = attach(monkeypatch)
    show(quiet=True)
    assert (out.getvalue(), err.getvalue()) == ("", "")
    monkeypatch.setattr(sys, "stdout", Terminal())
    show(json=True)
    assert "pictures" not in err.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    show()
    assert "\x1b[" not in sys.stderr.getvalue()
    assert sys.stderr.getvalue().count("done in/") == 3


@pytest.fixture
def told(capsys, monkeypatch):
    """What the end of a batch of two is told in, by seconds waited, outputs and settings."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def tell(waited, output="b.png", **settings):
        console = BatchConsole(json=False, quiet=False, debug=False)
        console.show(
            Start(
                task="sr",
                settings={"jobs": 2, "png_level": 2, "webp_effort": 4, **settings},
                device=None,
                backend=None,
                precision=None,
                weights=(),
                inputs=2,
            )
        )
        for name in ("a", "b"):
            console.show(FileDone(input=name, output=output, status="done"))
        stages = Seconds(read=0.31, restore=12.1, write=9.84)
        console.show(
            Summary(
                done=2,
                current=0,
                skipped=0,
                failed=0,
                seconds=20.0,
                megapixels=1.0,
                stages=stages,
                waited=waited,
            )
        )
        return capsys.readouterr().err.splitlines()[-1]

    return tell


def test_the_end_of_a_batch_tells_the_stages(told):
    assert told(Waited(read=1.9, write=1.9)) == "reading 0.3 s, network 12.1 s, writing 9.8 s"


@pytest.mark.parametrize(
    ("waited", "output", "settings", "advice"),
    [
        (Waited(write=2.1), "b.png", {"png_level": 6}, "waited 2.1 s for writing (try --png-level 2)"),
        (Waited(write=2.1), "b.png", {}, "waited 2.1 s for writing"),
        (Waited(write=2.1), "b.PNG", {"jobs": 1}, "waited 2.1 s for writing (try --jobs 2)"),
        (Waited(write=2.1), "b.webp", {}, "waited 2.1 s for writing (try --webp-effort 0)"),
        (Waited(read=2.1), "b.jpg", {"jobs": 1}, "waited 2.1 s for reading (try --jobs 2)"),
    ],
)
def test_waiting_is_told_with_what_would_help(told, waited, output, settings, advice):
    assert told(waited, output, **settings).split("; ")[1:] == [advice]


def test_one_picture_needs_no_stages(capsys):
    console = BatchConsole(json=False, quiet=False, debug=False)
    console.show(Summary(done=1, current=0, skipped=0, failed=0, seconds=1.0, megapixels=1.0))
    assert len(capsys.readouterr().err.splitlines()) == 1
