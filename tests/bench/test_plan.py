import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from enhance_cli.arch.aim import AIM
from enhance_cli.bench.datasets.find import choose
from enhance_cli.bench.plan import BASELINE_ONLY, Choice, PlannedRow, plan
from enhance_cli.bench.protocols.choice import Values
from enhance_cli.bench.protocols.real import RealPair
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.reader import save_file
from enhance_cli.errors import ModelError, UsageError


def brief(works: tuple[PlannedRow, ...]) -> list[tuple[str, str, str | None]]:
    return [(work.dataset.name, work.setting.name, work.net and work.net.name) for work in works]


def test_a_named_set_is_measured_for_its_usual_task_with_the_shipped_defaults(root: Path, shipped: str):
    works = plan(choose(["Set5"], root), Choice(), named=True)
    # Nothing is shipped for x3 and x4: the baseline stands alone there.
    assert brief(works) == [("Set5", "x2", shipped), ("Set5", "x3", None), ("Set5", "x4", None)]


def test_without_names_sets_that_are_not_in_the_literature_stay_out(root: Path, shipped: str):
    works = plan(choose([], root), Choice(), named=False)
    assert [name for name, setting, _ in brief(works)] == ["Set5"] * 3 + ["Set12"] * 3


def test_a_task_alone_takes_the_sets_that_are_usual_for_it(root: Path, shipped: str):
    works = plan(choose([], root), Choice(task="denoise"), named=False)
    assert {work.dataset.name for work in works} == {"Set12"}


def test_a_task_forces_any_named_set(root: Path, shipped: str):
    works = plan(choose(["Mine"], root), Choice(task="deblur"), named=True)
    assert brief(works) == [("Mine", "motion", None)]


def test_values_bring_their_task(root: Path, shipped: str):
    works = plan(choose(["Set5"], root), Choice(values=Values(qualities=(10,))), named=True)
    assert brief(works) == [("Set5", "q10", None)]


def test_a_model_brings_its_task_and_its_scale(root: Path, shipped: str, tiny: Path):
    choice = Choice(models=(shipped,), weights=(tiny,))
    assert brief(plan(choose(["Set12"], root), choice, named=True)) == [
        ("Set12", "x2", shipped),
        ("Set12", "x2", "tiny-x2"),
    ]


@pytest.mark.parametrize(
    ("name", "task", "colour", "expected"),
    [
        ("Set12", "denoise", False, "gray"),
        ("Set5", "denoise", False, "rgb"),
        ("Set5", "dejpeg", False, "gray"),
        ("Set5", "dejpeg", True, "rgb"),
    ],
)
def test_the_default_is_of_the_colour_that_is_measured(
    root: Path,
    shipped: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    task: str,
    colour: bool,
    expected: str,
):
    one = catalog.find(shipped)
    both = tuple(replace(one, name=kind, task=task, scale=1, colour=kind) for kind in ("rgb", "gray"))
    monkeypatch.setattr(catalog, "catalog", lambda: both)
    works = plan(
        choose([name], root),
        Choice(task=task, values=Values(protocol="jpeg-rgb" if colour else None)),
        named=True,
    )
    assert {work.net.name for work in works} == {expected}


def test_tiers_are_measured_side_by_side_and_the_same_weights_once(
    root: Path, shipped: str, monkeypatch: pytest.MonkeyPatch
):
    one = replace(catalog.find(shipped), tier="default")
    shelf = (one, replace(one, name="quick", tier="fast"))
    monkeypatch.setattr(catalog, "catalog", lambda: shelf)
    works = plan(choose(["Set5"], root), Choice(models=("fast", "default", "best")), named=True)
    assert [work.model for work in works if work.net] == ["quick", shipped, f"{shipped}+"]
    assert [net for _, _, net in brief(works)[3:]] == [None, None]


@pytest.mark.parametrize(
    "named", [{"models": ("best",)}, {"models": ("default", "best")}, {"models": ("small-x2",)}, {}, "file"]
)
def test_the_best_is_averaged_and_so_is_all_where_that_is_asked(root: Path, shipped: str, tiny: Path, named):
    asked, name = ({"weights": (tiny,)}, "tiny-x2") if named == "file" else (named, shipped)
    works = plan(choose(["Set5"], root), Choice(**asked, ensemble=True), named=True)
    assert [(work.model, work.ensemble) for work in works if work.net] == [(f"{name}+", True)]
    works = plan(choose(["Set5"], root), Choice(**asked), named=True)
    averaged = {work.model: work.ensemble for work in works if work.net}
    assert averaged == {name: False} or ("best" in asked["models"] and averaged[f"{name}+"])


def test_two_rows_of_one_setting_are_not_called_the_same(
    root: Path, shipped: str, tmp_path: Path, tiny: Path
):
    for name, tier in ((shipped, "default"), (f"{shipped}+", "best")):
        file = tmp_path / "own" / f"{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(tiny.read_bytes())
        with pytest.raises(UsageError, match=re.escape(f"two models are called {name}; rename one")):
            plan(choose(["Set5"], root), Choice(weights=(file,), models=(tier,)), named=True)


def test_photo_models_are_measured_where_there_are_any(
    root: Path, shipped: str, monkeypatch: pytest.MonkeyPatch
):
    one = replace(catalog.find(shipped), tier="default")
    monkeypatch.setattr(catalog, "catalog", lambda: (one,))
    with pytest.raises(UsageError, match="photo model"):
        plan(choose(["Set5"], root), Choice(models=("photo",)), named=True)
    monkeypatch.setattr(catalog, "catalog", lambda: (replace(one, tier="photo"),))
    works = plan(choose(["Set5"], root), Choice(models=("photo",)), named=True)
    assert [net for _, _, net in brief(works)] == [shipped, None, None]


def test_a_network_that_wants_an_enlarged_input_fits_every_scale(root: Path, tmp_path: Path):
    path, parameters = tmp_path / "aim.safetensors", {"n_modules": 1, "n_feats": 8}
    save_file(path, AIM(**parameters), arch="aim", parameters=parameters, task="sr", metadata={})
    works = plan(choose(["Set5"], root), Choice(weights=(path,)), named=True)
    assert [setting for _, setting, _ in brief(works)] == ["x2", "x3", "x4"]


def test_a_model_is_loaded_once(root: Path, shipped: str):
    works = plan(choose(["Set5", "Mine"], root), Choice(task="sr", values=Values(scales=(2,))), named=True)
    assert works[0].net is works[1].net


def test_no_model_leaves_the_baselines(root: Path):
    works = plan(choose(["Set5"], root), Choice(models=(BASELINE_ONLY,)), named=True)
    assert brief(works) == [("Set5", "x2", None), ("Set5", "x3", None), ("Set5", "x4", None)]


def test_a_model_that_fits_nothing_is_an_error(root: Path, tiny: Path):
    choice = Choice(weights=(tiny,), values=Values(scales=(4,)))
    with pytest.raises(UsageError, match=r"tiny-x2 \(sr\) fits nothing"):
        plan(choose(["Set5"], root), choice, named=True)


def test_a_protocol_of_several_tasks_can_be_asked_of_one(root: Path, shipped: str):
    clean = Values(protocol="clean")
    every = plan(choose(["Set5"], root), Choice(values=clean), named=True)
    assert [work.setting.task for work in every] == ["dejpeg", "denoise", "deblur"]
    (one,) = plan(choose(["Set5"], root), Choice(task="deblur", values=clean), named=True)
    assert one.setting.task == "deblur"
    with pytest.raises(UsageError, match="--task sr was given with options of deblur, dejpeg, denoise"):
        plan(choose(["Set5"], root), Choice(task="sr", values=clean), named=True)


def test_a_task_and_options_of_another_are_an_error(root: Path):
    with pytest.raises(UsageError, match="--task sr was given with options of dejpeg"):
        plan(choose(["Set5"], root), Choice(task="sr", values=Values(protocol="jpeg-rgb")), named=True)


def test_a_strange_set_needs_a_task(root: Path):
    with pytest.raises(UsageError, match="Mine has no usual task"):
        plan(choose(["Mine"], root), Choice(), named=True)


def test_a_task_for_which_no_set_is_there_is_an_error(root: Path):
    with pytest.raises(UsageError, match="nothing on Set5, Set12, Mine is measured so"):
        plan(choose([], root), Choice(task="dejpeg"), named=False)


def test_colour_needs_colour_pictures(root: Path, shipped: str):
    with pytest.raises(UsageError, match="colour pictures for --protocol jpeg-rgb"):
        plan(choose(["Set12"], root), Choice(values=Values(protocol="jpeg-rgb")), named=True)


def test_an_unknown_model_is_an_error(root: Path, shipped: str):
    with pytest.raises(ModelError, match="small-x2"):
        plan(choose(["Set5"], root), Choice(models=("small-x3",)), named=True)


def test_a_bad_weights_file_is_an_error(root: Path, tmp_path: Path):
    with pytest.raises(ModelError):
        plan(choose(["Set5"], root), Choice(weights=(tmp_path / "none.safetensors",)), named=True)


@pytest.fixture
def real(root: Path) -> Path:
    """PolyU of two pairs, beside the other sets."""
    (root / "test" / "PolyU").mkdir()
    shutil.copytree(root / "set5", root / "test" / "PolyU" / "noisy")
    (root / "set5").rename(root / "test" / "PolyU" / "clean")
    return root


def test_sets_of_real_pairs_are_measured_as_they_are(real: Path, shipped: str):
    (row,) = plan(choose(["PolyU"], real), Choice(), named=True)
    assert (row.setting, row.protocol, len(row.inputs)) == (RealPair("denoise"), "real", 2)
    (row,) = plan(choose(["PolyU"], real), Choice(values=Values(protocol="real")), named=True)
    assert row.setting.task == "denoise"


def test_noise_that_is_asked_for_is_added_to_clean_pictures_of_sets_that_are_named(real: Path, shipped: str):
    noise = Choice(values=Values(sigmas=(25.0,)))
    (row,) = plan(choose(["PolyU"], real), noise, named=True)
    assert (row.setting.name, row.inputs) == ("sigma 25", None)
    assert {row.dataset.name for row in plan(choose([], real), noise, named=False)} == {"Set12"}
    rows = plan(choose([], real), Choice(task="denoise"), named=False)
    assert [row.setting.name for row in rows if row.dataset.name == "PolyU"] == ["real"]


def test_where_there_are_no_pairs_nothing_real_can_be_measured(root: Path, shipped: str):
    with pytest.raises(UsageError, match="one of real pairs for --protocol real"):
        plan(choose(["Set12"], root), Choice(values=Values(protocol="real")), named=True)
    with pytest.raises(UsageError, match="--task demosaic was given with options of deblur, denoise, sr"):
        plan(choose(["Set5"], root), Choice(task="demosaic", values=Values(protocol="real")), named=True)
