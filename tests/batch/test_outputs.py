"""Outputs named, references paired, collisions: no network, no pictures."""

import os
import unicodedata
from pathlib import Path

import pytest

from enhance_cli.batch import outputs as module
from enhance_cli.batch.inputs import find_inputs
from enhance_cli.batch.outputs import Naming, plan_jobs
from enhance_cli.errors import CollisionError, UsageError
from enhance_cli.tasks import TASKS


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module.real_folder.cache_clear()
    module.folds_case.cache_clear()


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def outputs(inputs, output, **naming):
    jobs, _ = plan_jobs(
        find_inputs(inputs, output=output), Naming(TASKS["sr"], {"scale": "2"}, **naming), output, None
    )
    return [str(job.output) for job in jobs]


def test_where_results_go():
    touch("a.png", "in/sub/b.jpg")
    Path("there").mkdir()
    assert outputs(["a.png"], None) == ["a_sr.png"]
    assert outputs(["in"], None) == ["in/sub/b_sr.png"]
    assert outputs(["a.png"], "x.jpg") == ["x.jpg"]
    for folder in ("there", "new/", "new", "v1.2"):
        assert outputs(["a.png"], folder) == [f"{folder.rstrip('/')}/a.png"]
    assert outputs(["in"], "x.png/") == ["x.png/sub/b.png"]
    assert outputs(["in"], "out", format="same") == ["out/sub/b.jpg"]
    assert outputs(["in"], "out", template="{stem}_x{scale}.{ext}") == ["out/sub/b_x2.png"]


def test_outputs_that_cannot_be():
    touch("a.png", "in/b.png", "file")
    for inputs, output in ((["in"], "x.png"), (["in"], "file"), (["in"], "-")):
        with pytest.raises(UsageError):
            outputs(inputs, output)
    for slip in ("x.svg", "x.pngg", "x.xyz"):
        with pytest.raises(UsageError, match="end it with / to make it a folder"):
            outputs(["a.png"], slip)
    assert outputs(["a.png"], "x.xyz/") == ["x.xyz/a.png"]
    for template in (
        "{stem",
        "{model}.png",
        "{stem.__class__}.png",
        "{}.png",
        "a/{stem}.png",
        "{stem}",
        "{stem:d}.png",
        "{stem:{nonsense}}.png",
        "{stem:{scale}}.png",
        "{stem:>2000000000}.png",
        "{stem:.2000000000}.png",
    ):
        with pytest.raises(UsageError):
            outputs(["in"], "out", template=template)
    assert outputs(["a.png"], "out", template="{stem:_>9}.png") == ["out/________a.png"]
    with pytest.raises(UsageError):
        outputs(["a.png"], "x.png", format="jpg")


def test_collisions_are_found_on_the_file_system_at_hand(monkeypatch):
    touch("in/a.png", "in/a.jpg")
    with pytest.raises(CollisionError, match=r"a\.jpg and .*a\.png"):
        outputs(["in"], "out")
    with pytest.raises(CollisionError):
        outputs(["in"], "out", template="all.png")
    Path("in/a.jpg").rename("in/A.png")
    if not Path("in/a.PNG").exists():
        assert outputs(["in"], "out") == ["out/A.png", "out/a.png"]
    monkeypatch.setattr(module, "folds_case", lambda folder: True)
    with pytest.raises(CollisionError):
        outputs(["in"], "out")


def test_names_that_differ_only_in_how_accents_are_written(monkeypatch):
    names = {unicodedata.normalize(form, "in/é.png") for form in ("NFC", "NFD")}
    touch(*names)
    if len(os.listdir("in")) < 2:
        pytest.skip("this file system takes them for one")
    assert len(outputs(["in"], "out")) == 2
    monkeypatch.setattr(module, "folds_case", lambda folder: True)
    with pytest.raises(CollisionError):
        outputs(["in"], "out")


def test_an_output_through_a_link_is_still_an_input():
    touch("in/a.png")
    os.symlink("in", "also")
    with pytest.raises(CollisionError, match="both an input and an output"):
        outputs(["in"], "also")


def test_references_pair_without_the_marks_of_their_sides_as_well():
    touch(
        "in/0801x4.png",
        "in/0801.png",
        "in/sub/b_LR.png",
        "clean/0801.png",
        "clean/sub/b_HR.png",
        "clean/b.png",
    )
    jobs, _ = plan_jobs(find_inputs(["in"], output="out"), Naming(TASKS["sr"], {}), "out", Path("clean"))
    paired = {str(job.input): str(job.reference) for job in jobs}
    assert paired == {
        "in/0801.png": "clean/0801.png",
        "in/0801x4.png": "clean/0801.png",
        "in/sub/b_LR.png": "clean/sub/b_HR.png",
    }


def test_references_pair_by_relative_stem():
    touch("in/a.png", "in/sub/a.png", "clean/a.bmp", "clean/sub/a.tif", "clean/sub/a.png", "in/b.png")
    jobs, _ = plan_jobs(find_inputs(["in"], output="out"), Naming(TASKS["sr"], {}), "out", Path("clean"))
    paired = {str(job.input): job for job in jobs}
    assert str(paired["in/a.png"].reference) == "clean/a.bmp"
    assert "both be its reference" in str(paired["in/sub/a.png"].problem)
    assert "no reference b" in str(paired["in/b.png"].problem)
    with pytest.raises(UsageError):
        plan_jobs(find_inputs(["in"], output="out"), Naming(TASKS["sr"], {}), "out", Path("clean/a.bmp"))


def test_a_folder_without_letters_tells_nothing_about_case():
    assert not module.folds_case(Path("/"))


def test_the_file_behind_a_link_is_an_input_too():
    touch("in/b.png", "out/a.png")
    Path("in/a.png").symlink_to(Path("out/a.png").resolve())
    with pytest.raises(CollisionError, match="both an input and an output"):
        outputs(["in"], "out")
