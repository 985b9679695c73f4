import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from enhance_cli.cli.bench import bench
from enhance_cli.errors import UsageError

APP = typer.Typer()
APP.command()(bench)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Set5"
    folder.mkdir()
    Image.radial_gradient("L").resize((40, 36)).convert("RGB").save(folder / "round.png")
    Image.linear_gradient("L").resize((36, 40)).convert("RGB").save(folder / "even.png")
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def test_tables_on_stdout(root: Path):
    result = call("--data-root", root, "--dataset", "set5", "--scale", "2,4", "--model", "none")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert lines[0] == ["Set5", "sr", "matlab-y", "2", "pictures", "seed", "0"]
    assert lines[1] == ["setting", "model", "PSNR-Y", "SSIM-Y", "gain", "s/MP"]
    assert [line[:2] for line in lines[2:]] == [["x2", "bicubic"], ["x4", "bicubic"]]
    assert result.stderr.startswith("warning: Set5: ")
    assert call("--data-root", root, "--dataset", "set5", "--model", "none", "--quiet").stderr == ""


def test_json_is_one_row_a_line(root: Path):
    result = call("--data-root", root, "--task", "dejpeg", "--dataset", "Set5", "--model", "none", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["setting"] for row in rows] == ["q10", "q20", "q30", "q40"]
    assert all(row["event"] == "row" and row["schema"] == 1 and row["images"] == 2 for row in rows)


def test_limit(root: Path):
    result = call("--data-root", root, "--scale", "2", "--model", "none", "--json", "--limit", 1)
    (row,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["image"] for one in row["per_image"]] == ["even.png"]


def test_list_shows_what_is_there(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENHANCE_DATA", str(root))
    result = call("--list")
    (line,) = [line.split() for line in result.stdout.splitlines() if line.startswith("Set5 ")]
    assert line[1] == "sr"
    assert str(root / "Set5") in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "Set6"], "no test set 'Set6'"),
        (["--scale", "two"], "--scale two is not a list of numbers"),
        (["--quality", "0"], "--quality 0 is out of range"),
        (["--task", "sr", "--sigma", "25"], "options of denoise"),
    ],
)
def test_what_cannot_be_is_a_usage_error(root: Path, arguments: list[str], message: str):
    result = call("--data-root", root, *arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_importing_the_command_imports_nothing_heavy():
    code = (
        "import sys, enhance_cli.cli.bench; print({'torch', 'numpy', 'cv2', 'rich.table'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "set()"
