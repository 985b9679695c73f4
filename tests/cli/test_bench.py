import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from PIL import Image, ImageOps
from typer.testing import CliRunner, Result

from enhance_cli.cli.bench import bench
from enhance_cli.errors import EnhanceError, GateError, RestoreError, UsageError

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


SR = ("--dataset", "set5", "--scale", "2", "--model", "compact-sr-x2", "--threads", "1", "--quiet")


@pytest.fixture
def small(root: Path) -> tuple[str | Path, ...]:
    """Arguments that measure a shipped network on two small pictures."""
    return ("--data-root", root, *SR)


def failed(arguments, kind: type[EnhanceError]) -> str:
    result = call(*arguments)
    assert isinstance(result.exception, kind), (result.exception, result.stderr)
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_a_floor_that_is_missed_names_the_row_and_leaves_the_reports(small, tmp_path: Path):
    reports = {kind: tmp_path / f"rows.{kind}" for kind in ("csv", "markdown", "junit")}
    flags = [word for kind, path in reports.items() for word in (f"--{kind}", path)]
    message = failed((*small, "--min-psnr", "99", *flags, "--html", tmp_path / "page"), GateError)
    assert "Set5 x2 compact-sr-x2: psnr_y" in message
    assert all("compact-sr-x2" in path.read_text() for path in reports.values())
    assert "<failure" in reports["junit"].read_text()
    assert "compact-sr-x2" in (tmp_path / "page" / "index.html").read_text()
    assert call(*small, "--min-psnr", "1", "--min-ssim", "0.1").exit_code == 0


def test_a_baseline_is_written_held_and_refused_for_another_protocol(small, tmp_path: Path):
    baseline = ("--baseline", tmp_path / "figures.json")
    assert "No such file" in failed((*small, *baseline), UsageError)
    assert call(*small, *baseline, "--update-baseline").exit_code == 0
    assert call(*small, *baseline, "--tolerance", "0").exit_code == 0
    assert "protocol matlab-y, this run with rgb" in failed(
        (*small, *baseline, "--protocol", "rgb"), UsageError
    )
    assert "images 2, this run with 1" in failed((*small, *baseline, "--limit", "1"), UsageError)
    document = json.loads((tmp_path / "figures.json").read_text())
    document["rows"][0]["metrics"]["psnr_y"] += 1
    (tmp_path / "figures.json").write_text(json.dumps(document))
    assert "psnr_y" in failed((*small, *baseline), GateError)


def test_the_ensemble_is_measured_and_held_by_its_own_name(small, tmp_path: Path):
    baseline = ("--baseline", tmp_path / "figures.json")
    both = (*small, "--model", "default", "--model", "best", *baseline)
    assert call(*both, "--update-baseline").exit_code == 0
    held = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert [row["model"] for row in held] == ["compact-sr-x2", "compact-sr-x2+"]
    assert held[0]["metrics"] != held[1]["metrics"]
    assert call(*both, "--tolerance", "0").exit_code == 0
    result = call(*small, "--ensemble", *baseline, "--tolerance", "0", "--json")
    assert result.exit_code == 0
    row = json.loads(result.stdout)
    assert (row["model"], row["ensemble"]) == ("compact-sr-x2+", True)
    assert row["metrics"] == {
        name: pytest.approx(value, abs=1e-5) for name, value in held[1]["metrics"].items()
    }


@pytest.mark.parametrize("protocol", ["matlab-y", "rgb", "y-only", "float", "pil-y"])
def test_pairs_are_measured_as_they_are_given(root: Path, tmp_path: Path, protocol: str):
    (tmp_path / "lr").mkdir()
    for path in (root / "Set5").iterdir():
        with Image.open(path) as clean:
            ImageOps.invert(clean.resize((clean.width // 2, clean.height // 2))).save(
                tmp_path / "lr" / path.name
            )
    pairs = ("--input", tmp_path / "lr", "--reference", root / "Set5", "--scale", "2", "--model", "none")
    (row,) = [json.loads(line) for line in call(*pairs, "--protocol", protocol, "--json").stdout.splitlines()]
    figure = row["baseline"].get("psnr_y", row["baseline"].get("psnr"))
    assert figure < 15, "inverted pictures are far from their references"
    assert row["protocol"] == f"{protocol}, inputs given"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--input", "a"], "--input and --reference belong together"),
        (["--input", "a", "--reference", "b", "--dataset", "Set5"], "leave one out"),
        (["--model", "none", "--min-psnr", "30"], "no network is measured on Set5 x2"),
        (["--update-baseline"], "needs --baseline"),
        (["--csv", "nowhere/rows.csv"], "nowhere"),
        (["--csv", "same.txt", "--markdown", "same.txt"], "named for two reports"),
        (["--arch-option", "a=1"], "needs --weights"),
        (["--metric", "beauty"], "metric beauty is unknown"),
    ],
)
def test_flags_that_make_no_sense_are_refused_before_any_work(root: Path, flags, told, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr("enhance_cli.bench.run.run", lambda *given, **options: pytest.fail("work was begun"))
    sets = [] if "--input" in flags else ["--dataset", "Set5"]
    assert told in failed(("--data-root", root, "--scale", "2", *sets, *flags), UsageError)


def test_two_of_one_name_are_refused(root: Path, tmp_path: Path):
    (tmp_path / "other").mkdir()
    shutil.copytree(root / "Set5", tmp_path / "other" / "Set5")
    message = failed(
        (
            "--data-root",
            root,
            "--dataset",
            root / "Set5",
            "--dataset",
            tmp_path / "other" / "Set5",
            "--model",
            "none",
        ),
        UsageError,
    )
    assert "two sets are called Set5" in message


def test_rows_before_a_failure_are_shown_and_reported(small, root: Path, tmp_path: Path, monkeypatch):
    from enhance_cli.bench import run as module

    whole = module.restore

    def fail(restorer, case, setting, *, unharmed):
        if setting.scale == 3:
            raise RestoreError("the result is black")
        return whole(restorer, case, setting, unharmed=unharmed)

    monkeypatch.setattr(module, "restore", fail)
    result = call("--data-root", root, "--dataset", "Set5", "--scale", "2,3", "--csv", tmp_path / "rows.csv")
    assert isinstance(result.exception, RestoreError)
    assert "compact-sr-x2" in result.stdout
    assert "compact-sr-x2" in (tmp_path / "rows.csv").read_text()


def test_a_seed_changes_the_noise_and_is_told(root: Path):
    rows = [
        json.loads(
            call(
                "--data-root",
                root,
                "--dataset",
                "Set5",
                "--sigma",
                "25",
                "--model",
                "none",
                "--json",
                "--seed",
                seed,
            ).stdout
        )
        for seed in ("0", "5")
    ]
    assert [row["seed"] for row in rows] == [0, 5]
    assert rows[0]["baseline"]["psnr"] != rows[1]["baseline"]["psnr"]


def test_a_root_that_has_gone_stops_only_what_needs_it(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENHANCE_DATA", str(root / "gone"))
    arguments = ("--scale", "2", "--model", "none", "--quiet")
    assert call("--dataset", root / "Set5", *arguments).exit_code == 0
    assert "gone" in failed(("--dataset", "Set5", *arguments), UsageError)
