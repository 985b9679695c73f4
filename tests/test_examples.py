"""The example pictures are what make.py makes of them, and every example script runs."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPO = Path(__file__).resolve().parents[1]
EXAMPLES = REPO / "examples"
TASKS = ("sr", "dejpeg", "denoise", "deblur")


def pictures(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)).astype(float) for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run an example script with an `enhance` on its PATH that is this tree under this Python."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "enhance"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m enhance_cli "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPO),
        "OMP_NUM_THREADS": "1",
    }

    def call(script: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        line = [str(EXAMPLES / script), *map(str, arguments)]
        return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)

    return call


def test_make_gives_the_pictures_that_are_here(tmp_path):
    spec = importlib.util.spec_from_file_location("make", EXAMPLES / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(EXAMPLES / "reference", tmp_path)
    for task in TASKS:
        kept, made = pictures(EXAMPLES / task), pictures(tmp_path / task)
        assert kept.keys() == made.keys()
        for name, picture in kept.items():
            # Decoders of JPEG, and the arithmetic of blur, may differ by a level between machines.
            assert np.abs(picture - made[name]).max() <= (2 if task in ("dejpeg", "deblur") else 0), (
                task,
                name,
            )


def test_every_picture_is_small_attributed_and_has_its_reference():
    attribution = (EXAMPLES / "ATTRIBUTION.md").read_text(encoding="utf-8")
    references = {path.stem for path in (EXAMPLES / "reference").iterdir()}
    assert all(f"`{name}.png`" in attribution for name in references)
    for task in TASKS:
        assert {path.stem for path in (EXAMPLES / task).iterdir()} <= references
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < 1.5e6


def test_ci_gate_passes_a_low_gate_and_fails_a_high_one(run, tmp_path):
    passed = run("ci_gate.sh", 10, "low.jsonl", cwd=tmp_path)
    assert passed.returncode == 0, passed.stderr
    summary = json.loads(passed.stdout)
    assert (summary["event"], summary["done"]) == ("summary", 4)
    failed = run("ci_gate.sh", 90, "high.jsonl", cwd=tmp_path)
    assert failed.returncode == 4
    assert "--min-psnr 90" in failed.stderr
    assert json.loads(failed.stdout)["metrics"] == summary["metrics"]


def test_restore_folder_does_the_good_ones_and_reports_the_bad_one(run, tmp_path):
    scans = tmp_path / "scans" / "old"
    scans.mkdir(parents=True)
    with Image.open(EXAMPLES / "dejpeg" / "coffee.jpg") as picture:
        picture.crop((0, 0, 64, 48)).save(scans / "good.jpg", quality=20)
    (scans / "bad.jpg").write_bytes(b"no picture")
    first = run("restore_folder.sh", "scans", "out", cwd=tmp_path)
    assert first.returncode == 3, first.stderr
    assert "bad.jpg" in first.stderr
    with Image.open(tmp_path / "out" / "large" / "old" / "good.png") as large:
        assert large.size == (128, 96)
    (scans / "bad.jpg").unlink()
    again = run("restore_folder.sh", "scans", "out", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "0 done, 1 current" in again.stderr


def test_restore_folder_stops_where_nothing_could_be_done(run, tmp_path):
    stopped = run("restore_folder.sh", "nowhere", "out", cwd=tmp_path)
    assert stopped.returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("raised", "code"), [(0.0, 0), (1.0, 4)])
def test_the_workflow_runs_and_its_gate_holds(tmp_path, raised, code):
    lines = (EXAMPLES / "github_actions.yml").read_text(encoding="utf-8").splitlines()
    (command,) = [line.partition("run: ")[2] for line in lines if "run: enhance" in line]
    kept = json.loads((EXAMPLES / "baseline.json").read_text(encoding="utf-8"))
    for row in kept["rows"]:
        row["metrics"]["psnr_y"] += raised
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "baseline.json").write_text(json.dumps(kept), encoding="utf-8")
    words = command.split()[1:]
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    made = subprocess.run(
        [sys.executable, "-m", "enhance_cli", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == code, made.stderr
    assert "| x4 | compact-sr-x4-deep |" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_scripts_are_all_tried_here():
    tried = Path(__file__).read_text(encoding="utf-8")
    # demo.sh is `make demo`, too slow for a test.
    assert all(f'"{path.name}"' in tried or path.name == "demo.sh" for path in EXAMPLES.glob("*.sh"))
