"""What holds for every command: help, versions, errors, signals, completion."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import enhance_cli
from enhance_cli.cli import completions, main

REPO = Path(enhance_cli.__file__).resolve().parents[1]
HEAVY = ("torch", "cv2", "numpy", "PIL", "rich")


def spawn(*arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], env=environment, stdout=-1, stderr=-1, text=True, **options
    )


@pytest.mark.parametrize("arguments", [["--help"], ["sr", "--help"]])
def test_help_is_light(arguments):
    code = (
        "import sys\nfrom enhance_cli.cli.main import app\n"
        f"try:\n    app({arguments}, prog_name='enhance')\n"
        f"finally:\n    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    process = spawn("-c", code)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Usage: enhance" in out
    assert err == "[]\n"


def test_every_command_has_help(enhance):
    commands = ("sr", "dejpeg", "denoise", "deblur", "bench", "train", "models")
    text = enhance("--help").out.decode()
    for command in commands:
        assert f"\n  {command} " in text
        assert enhance(command, "-h").code == 0


def test_version(enhance):
    assert enhance("--version").out.decode() == f"enhance {enhance_cli.__version__}\n"


def test_flags_that_do_not_exist_are_usage_errors(enhance):
    for arguments in (["sr", "--nonsense", "a.png"], ["nonsense"], ["sr"], ["--nonsense"]):
        outcome = enhance(*arguments)
        assert outcome.code == 2
        assert outcome.out == b""
        assert "Traceback" not in outcome.err


def test_errors_of_usage_are_one_line(enhance):
    for arguments, word in (
        (["sr", "--nonsense", "a.png"], "--nonsense"),
        (["sr", "--scale", "abc", "a.png"], "--scale"),
        (["sr", "--jpeg-quality", "0", "a.png"], "--jpeg-quality"),
        (["sr"], "PATH"),
        (["nonsense"], "nonsense"),
    ):
        outcome = enhance(*arguments)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
        assert outcome.err.startswith("enhance: error: ")
        assert word in outcome.err and outcome.err.endswith(" --help tells more\n")
    assert "verify" in "".join([(group := enhance("models")).out.decode(), group.err]), (
        "a group shows its help"
    )


def test_unexpected_errors_are_one_line(enhance, monkeypatch, picture):
    from enhance_cli.cli import restore as module

    def burst(*_, **__):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(module, "Models", burst)
    picture("a.png")
    outcome = enhance("sr", "a.png")
    assert outcome.code == 1
    assert outcome.err.startswith("enhance: error: unexpected RuntimeError: two lines")
    assert outcome.err.count("\n") == 1
    assert "Traceback" in enhance("sr", "--debug", "a.png").err


@pytest.fixture
def heard():
    """Shells have what they start in the background ignore Ctrl-C, the tests among it."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_cleanly(enhance, picture, monkeypatch, tmp_path, number):
    from enhance_cli.engine.restorer import Restorer

    for name in "abcdefgh":
        picture(f"in/{name}.png")
    original, calls = Restorer.bands, []

    def restore(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            os.kill(os.getpid(), number)
        return original(self, *arguments, **options)

    monkeypatch.setattr(Restorer, "bands", restore)
    before = signal.getsignal(signal.SIGTERM)
    outcome = enhance("sr", "--json", "in", "out")
    assert outcome.code == 130
    (summary,) = outcome.of("summary")
    assert summary["interrupted"] is True
    assert summary["done"] == 4 == len(list((tmp_path / "out").glob("*.png")))
    assert not list((tmp_path / "out").glob(".*.part"))
    assert signal.getsignal(signal.SIGTERM) == before
    monkeypatch.undo()


def test_a_killed_run_goes_on_where_it_stopped(enhance, picture, shelf, size_of, tmp_path):
    for number in range(12):
        picture(f"in/{number:02}.png", seed=number)
    # The moment after the fifth output has got its name: a record written later would be missing.
    code = (
        "import os, signal, sys\nfrom enhance_cli.cli.main import app\n"
        "link, n = os.link, []\n"
        "def kill(*paths):\n"
        "    link(*paths)\n"
        "    n.extend([1] * str(paths[1]).endswith('.png'))\n"
        "    len(n) == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.link = kill\n"
        "app(sys.argv[1:], prog_name='enhance')"
    )
    weights = shelf / "tiny-sr-x2.safetensors"
    options = ("--jobs", "1", "--backend", "torch", "--weights", weights)
    process = spawn("-c", code, "sr", *options, "in", "out", cwd=tmp_path)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    written = list((tmp_path / "out").glob("*.png"))
    assert len(written) == 5
    assert all(size_of(path) == (40, 32) for path in written)
    outcome = enhance("sr", "--json", "--weights", weights, "in", "out")
    assert outcome.code == 0, outcome.err
    (summary,) = outcome.of("summary")
    assert (summary["current"], summary["done"]) == (5, 7)


def test_a_reader_that_goes_away_is_no_error(tmp_path, picture, shelf):
    picture("a.png")
    weights = shelf / "tiny-sr-x2.safetensors"
    process = spawn("-m", "enhance_cli.cli.main", "sr", "--json", "--weights", weights, "a.png", cwd=tmp_path)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert "Traceback" not in err and "Exception" not in err


def test_completion_scripts_are_those_that_the_command_gives():
    for shell, name in completions.FILES.items():
        script = (REPO / "completions" / name).read_text(encoding="utf-8")
        assert script == completions.script(shell), f"run python -m enhance_cli.cli.completions ({name})"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("enhance de", ["dejpeg", "denoise", "deblur", "demosaic"]),
        ("enhance sr --sca", ["--scale"]),
        ("enhance sr --model tiny-sr-x", ["tiny-sr-x2", "tiny-sr-x3"]),
        ("enhance sr --precision b", ["bfloat16"]),
    ],
)
def test_completion(enhance, monkeypatch, words, expected):
    for key, value in {
        "_ENHANCE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }.items():
        monkeypatch.setenv(key, value)
    assert enhance().out.decode().split() == expected


def test_usage_errors_of_click_are_known():
    assert issubclass(main.USAGE, Exception)
    assert main.USAGE.__name__ == "UsageError"


def test_restoring_a_small_picture_loads_nothing_that_only_compilers_need(picture):
    path = picture("a.png")
    code = (
        "import sys; from enhance_cli.cli.main import app; "
        f"app(['denoise', '--sigma', '20', '--quiet', {str(path)!r}], standalone_mode=False); "
        "print(sorted({'sympy', 'torch._dynamo'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
    assert path.with_name("a_denoise.png").exists()
