from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from enhance_cli.bench.datasets.find import choose
from enhance_cli.bench.plan import BASELINE_ONLY, Choice, PlannedRow, plan
from enhance_cli.bench.protocols.blur import MotionBlur
from enhance_cli.bench.protocols.choice import Values
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.bench.protocols.jpeg import JpegLuma
from enhance_cli.bench.protocols.noise import Noise
from enhance_cli.bench.protocols.real import RealPair, Undamaged
from enhance_cli.bench.report import Row
from enhance_cli.bench.run import restore, run
from enhance_cli.engine.condition import find_condition
from enhance_cli.engine.ensemble import eightfold
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ReadError, RestoreError
from enhance_cli.tasks import TASKS

CPU = EngineSettings(device="cpu", threads=1)


class FakeRestorer:
    """Gives back what it got and remembers how it was called."""

    def __init__(self, colour: str, condition: str | None) -> None:
        self.spec = SimpleNamespace(colour=colour, condition=condition, pre_upsampled=False)
        self.calls: list[tuple[tuple[int, ...], float | None]] = []

    def find_condition(self, picture):
        task = next(task for task in TASKS.values() if task.condition == self.spec.condition)
        return find_condition(picture, task, self.spec, model="fake", trained=(5.0, 70.0))

    def restore(self, picture, *, scale, condition, unharmed):
        self.calls.append((picture.pixels.shape, condition))
        return SimpleNamespace(picture=picture)

    def restore_plane(self, x, condition):
        self.calls.append((x.shape, condition))
        return x


def measured(root: Path, name: str, choice: Choice) -> list[Row]:
    return list(run(plan(choose([name], root), choice, named=True), CPU))


def figures(rows: list[Row]) -> list[tuple]:
    """Everything that must not change from run to run."""
    return [tuple(replace(score, seconds=0) for score in row.scores) for row in rows]


@pytest.mark.parametrize("name", ["Set5", "Set12"])
def test_a_network_is_measured_beside_bicubic(root: Path, tiny: Path, name: str):
    (row,) = measured(root, name, Choice(weights=(tiny,)))
    assert (row.task, row.setting, row.baseline_name, row.model) == ("sr", "x2", "bicubic", "tiny-x2")
    assert [score.image for score in row.scores] == ["img_1.png", "img_2.png"]
    # Nearest-neighbour enlarging is worse than bicubic, and not hopeless.
    assert row.baseline["psnr_y"] > row.metrics["psnr_y"] > 20
    assert row.scores[0].megapixels == 36 * 46 / 1e6
    assert row.seconds_per_megapixel > 0


@pytest.mark.parametrize("task", ["sr", "dejpeg", "denoise", "deblur"])
def test_baselines_are_the_same_digits_each_time(root: Path, task):
    choice = Choice(task=task, models=(BASELINE_ONLY,))
    assert figures(measured(root, "Mine", choice)) == figures(measured(root, "Mine", choice))


def test_networks_give_the_same_digits_each_time(root: Path, tiny: Path):
    choice = Choice(weights=(tiny,))
    assert figures(measured(root, "Set5", choice)) == figures(measured(root, "Set5", choice))


def test_each_picture_has_its_own_noise(root: Path):
    """Two copies of one picture get different noise."""
    first, second = sorted((root / "set5").iterdir())
    second.write_bytes(first.read_bytes())
    (row,) = measured(root, "Set5", Choice(values=Values(sigmas=(25.0,)), models=(BASELINE_ONLY,)))
    assert row.scores[0].baseline["psnr"] != row.scores[1].baseline["psnr"]


def test_the_ensemble_is_a_row_of_its_own_with_eight_times_the_work(
    root: Path, shipped: str, monkeypatch: pytest.MonkeyPatch
):
    averaged = []

    def counted(run, x):
        averaged.append(x.shape)
        return eightfold(run, x)

    monkeypatch.setattr("enhance_cli.engine.network.eightfold", counted)
    works = plan(
        choose(["Set5"], root), Choice(models=("default", "best"), values=Values(scales=(2,))), named=True
    )
    rows, calls = [], []
    for row in run(works, CPU):
        rows.append(row)
        calls.append(len(averaged))
    once, often = rows
    assert (once.model, once.ensemble, often.model, often.ensemble) == (shipped, False, f"{shipped}+", True)
    assert calls == [0, 2]
    assert often.cost.gmac_per_megapixel == 8 * once.cost.gmac_per_megapixel


def test_the_ensemble_is_compared_with_the_ensemble_of_the_paper(
    root: Path, shipped: str, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    monkeypatch.setattr("enhance_cli.bench.run.published", lambda *_, **what: asked.append(what["ensemble"]))
    whole = [replace(dataset, complete=True) for dataset in choose(["Set5"], root)]
    list(run(plan(whole, Choice(models=("default", "best"), values=Values(scales=(2,))), named=True), CPU))
    assert asked == [False, True]


def test_progress_follows_each_picture(root: Path):
    seen: list[tuple[str, int]] = []
    works = plan(choose(["Set5"], root), Choice(models=(BASELINE_ONLY,)), named=True)

    def on_picture(work: PlannedRow, done: int) -> None:
        seen.append((work.setting.name, done))

    list(run(works[:2], CPU, on_picture))
    assert seen == [("x2", 1), ("x2", 2), ("x3", 1), ("x3", 2)]


def test_rows_come_as_they_are_finished(root: Path):
    works = plan(choose(["Set5"], root), Choice(models=(BASELINE_ONLY,)), named=True)
    rows = run(works, CPU)
    assert next(rows).setting == "x2"
    (root / "set5" / "img_1.png").write_bytes(b"")
    with pytest.raises(ReadError, match=r"img_1\.png"):
        next(rows)


def test_a_failure_names_set_setting_and_picture(root: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(self, picture, **options):
        raise RestoreError("the result is black")

    monkeypatch.setattr("enhance_cli.engine.restorer.Restorer.restore", fail)
    with pytest.raises(RestoreError, match=r"Set5 x2, img_1\.png: the result is black"):
        measured(root, "Set5", Choice(weights=(tiny,)))


@pytest.mark.parametrize(
    ("setting", "condition"), [(JpegLuma(10), 10.0), (Noise(25.0), 25.0), (MotionBlur(), None)]
)
def test_networks_are_told_what_they_ask_for(setting: Setting, condition: float | None):
    case = setting.degrade(np.full((16, 16, 1), 90, np.uint8), seed=0)
    asks, ignores = FakeRestorer("gray", "any"), FakeRestorer("gray", None)
    restore(asks, case, setting)
    restore(ignores, case, setting)
    assert asks.calls == [((16, 16, 1), condition)]
    assert ignores.calls == [((16, 16, 1), None)]


@pytest.mark.parametrize(("task", "strength"), [("dejpeg", 70.0), ("denoise", 20.0), ("deblur", None)])
def test_of_a_clean_picture_networks_are_told_what_the_command_would_find(task, strength):
    setting, pixels = Undamaged(task), np.random.default_rng(0).normal(128, 20, (96, 96, 3))
    case = setting.degrade(np.clip(pixels + 0.5, 0, 255).astype(np.uint8), seed=0)
    restorer = FakeRestorer("rgb", {"dejpeg": "quality", "denoise": "sigma", "deblur": None}[task])
    result = restore(restorer, case, setting)
    assert restorer.calls == [((96, 96, 3), strength and pytest.approx(strength, rel=0.1))]
    assert setting.measure(result, case.reference)["psnr"] == np.inf


@pytest.mark.parametrize(
    ("colour", "channels", "shapes"),
    [
        ("rgb", 3, [(16, 16, 3)]),
        ("rgb", 1, [(16, 16, 3)]),
        ("gray", 3, [(16, 16, 1)] * 3),
        ("gray", 1, [(16, 16, 1)]),
    ],
)
def test_noisy_floats_reach_networks_of_any_colour(colour: str, channels: int, shapes: list):
    clean = np.random.default_rng(0).integers(0, 256, (16, 16, channels), dtype=np.uint8)
    case = Noise(50).degrade(clean, seed=0)
    restorer = FakeRestorer(colour, None)
    result = restore(restorer, case, Noise(50))
    assert [shape for shape, _ in restorer.calls] == shapes
    assert result.dtype == np.uint8
    assert np.array_equal(result, np.floor(np.clip(case.given, 0, 255) + 0.5))


def test_real_pictures_are_restored_unasked():
    noisy = np.random.default_rng(0).normal(128, 20, (96, 96, 3)).clip(0, 255).astype(np.uint8)
    case = RealPair("denoise").accept(np.full_like(noisy, 128), noisy)
    restorer = FakeRestorer("rgb", "sigma")
    restore(restorer, case, RealPair("denoise"))
    assert restorer.calls == [((96, 96, 3), pytest.approx(20, rel=0.1))]


def test_small_pictures_of_unknown_making_are_measured_on_all_channels(root: Path, tiny: Path):
    folder = root / "DIV2K-unknown"
    (folder / "LR_unknown" / "X2").mkdir(parents=True)
    (root / "set5").rename(folder / "HR")
    for path in (folder / "HR").iterdir():
        with Image.open(path) as clean:
            clean.resize((23, 18)).save(folder / "LR_unknown" / "X2" / path.name)
    (row,) = measured(root, "DIV2K-unknown", Choice(weights=(tiny,)))
    assert (row.setting, row.protocol, row.baseline_name) == ("x2 real", "real", "bicubic")
    assert set(row.metrics) == {"psnr", "ssim"}
    assert row.worst_gain == min(one.metrics["psnr"] - one.baseline["psnr"] for one in row.scores)
