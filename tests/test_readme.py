"""Every command in the documentation parses, and every file that it names is there."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from PIL import Image

from enhance_cli.batch.progress import FileDone, Start, Summary
from enhance_cli.checkpoints.catalog import Weights
from enhance_cli.cli.main import app

REPO = Path(__file__).resolve().parents[1]
PAGES = [
    *(REPO / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *(REPO / name for name in ("recipes/queue.md", "benchmarks/README.md")),
    *sorted((REPO / "docs").glob("*.md")),
]
# Paths that a reader makes himself begin with something else.
OURS = re.compile(
    r"(?<![\w/.-])(?:examples|recipes|tools|weights|docs|tests|enhance_cli|completions|benchmarks)/[\w./-]*\w"
)


def blocks(page: Path) -> list[str]:
    """The lines of a page's code blocks, which are indented by four spaces."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


def commands(page: Path) -> list[list[str]]:
    """Arguments of each `enhance` on the lines of the code blocks, pipes and redirections taken apart."""
    found = []
    for line in blocks(page):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.commenters = "#"
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, "|"]:
            if word in ("|", ">", ">>", ";", "&&", "||"):
                if words[:1] == ["enhance"]:
                    found.append(words[1:])
                words = []
            else:
                words.append(word)
    return found


COMMANDS = [command for page in PAGES for command in commands(page)]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_parses(command):
    group = typer.main.get_command(app)
    while hasattr(group, "commands"):
        assert command[0] in group.commands, command[0]
        group, command = group.commands[command[0]], command[1:]
    group.make_context(group.name, list(command))


def test_an_unknown_option_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        test_command_parses(["sr", "--scael", "4", "in/", "out/"])


def test_the_readme_shows_every_command():
    shown = {command[0] for command in commands(REPO / "README.md")}
    assert shown == set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_are_there(page):
    text = page.read_text(encoding="utf-8")
    for name in OURS.findall(text):
        assert (REPO / name).exists() or "NAME" in name, name
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (page.parent / link).exists(), link


def test_the_lines_for_python_do_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Image.open(REPO / "examples" / "dejpeg" / "cat.jpg") as cat:
        size = (24, 16)
        cat.crop((0, 0, *size)).save("photo.jpg")
    lines = (REPO / "README.md").read_text(encoding="utf-8").split("## From Python")[1].splitlines()
    code = [line.strip() for line in lines[2:5]]
    assert code[0] == "import enhance_cli as enhance"
    exec("\n".join(code), {})
    with Image.open("photo_x4.png") as large:
        assert large.size == (4 * size[0], 4 * size[1])


def test_make_targets_named_are_there():
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(
            r"(?:`|^    )make (?:\w+=\S+ )?(\w+)", page.read_text(encoding="utf-8"), re.MULTILINE
        ):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_json_page_names_every_key():
    page = (REPO / "docs" / "json.md").read_text(encoding="utf-8")
    hidden = {"cause", "warnings"}
    for event in (Start, FileDone, Summary, Weights):
        for field in fields(event):
            assert f"`{field.name}`" in page or field.name in hidden, (event.__name__, field.name)
