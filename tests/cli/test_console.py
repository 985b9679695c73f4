"""What goes to stdout and what to stderr, on terminals and elsewhere."""

import io
import sys

from enhance_cli.cli.console import BatchConsole, error
from enhance_cli.engine.progress import FileDone, Summary, TileDone


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
