"""Inputs found, outputs named, collisions: no network, no pictures."""

import os
from pathlib import Path

import pytest

from enhance_cli.cli import paths
from enhance_cli.cli.paths import Naming, find_inputs, plan_jobs, split_output
from enhance_cli.errors import CollisionError, UsageError


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    paths._real_folder.cache_clear()
    paths._folds_case.cache_clear()


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*names, **options):
    return [str(one.path) for one in find_inputs(names, **{"output": None, **options}).found]


def outputs(inputs, output, **naming):
    jobs, _ = plan_jobs(
        find_inputs(inputs, output=output), Naming("sr", {"scale": "2"}, **naming), output, None
    )
    return [str(job.output) for job in jobs]


def test_two_paths_are_in_and_out_and_more_need_a_flag():
    assert split_output(["a"], None) == (["a"], None)
    assert split_output(["a", "b"], None) == (["a"], "b")
    assert split_output(["a", "b"], "c") == (["a", "b"], "c")
    with pytest.raises(UsageError, match="--output"):
        split_output(["a", "b", "c"], None)


def test_folders_are_searched_in_order_for_pictures_alone():
    touch("in/b.png", "in/A.JPG", "in/sub/c.webp", "in/notes.txt", "in/.hidden.png", "in/.dir/x.png")
    inputs = find_inputs(["in"], output=None)
    assert [str(one.relative) for one in inputs.found] == ["A.JPG", "b.png", "sub/c.webp"]
    assert inputs.skipped == 1
    assert found("in", recursive=False) == ["in/A.JPG", "in/b.png"]


def test_globs_are_expanded_recursively_and_keep_their_tree():
    touch("in/a.png", "in/sub/b.png", "in/sub/c.txt", "in/[x].png")
    assert found("in/*.png") == ["in/[x].png", "in/a.png"]
    assert found("in/**/*.png") == ["in/[x].png", "in/a.png", "in/sub/b.png"]
    assert found("in/**") == ["in/[x].png", "in/a.png", "in/sub/b.png"]
    assert found("in/[x].png") == ["in/[x].png"], "a file of that very name comes before the pattern"
    assert outputs(["in/**/*.png"], "out") == ["out/[x].png", "out/a.png", "out/sub/b.png"]
    assert found("i*") == ["in/[x].png", "in/a.png", "in/sub/b.png"]


def test_an_input_named_twice_counts_once():
    touch("in/a.png")
    assert found("in", "in/a.png", "./in/a.png") == ["in/a.png"]


def test_links_are_followed_but_not_in_circles():
    touch("in/a.png", "elsewhere/b.png")
    os.symlink("../elsewhere", "in/linked")
    os.symlink("..", "in/up")
    assert found("in") == ["in/a.png", "in/linked/b.png", "in/up/elsewhere/b.png"]


def test_broken_links_are_problems_unless_they_cannot_be_pictures():
    touch("in/a.txt")
    for name in ("gone.png", "gone", "gone.txt"):
        os.symlink("nowhere", f"in/{name}")
    inputs = find_inputs(["in"], output=None)
    assert [(str(one.path), bool(one.problem)) for one in inputs.found] == [
        ("in/gone", True),
        ("in/gone.png", True),
    ]


def test_an_unreadable_folder_is_a_problem(monkeypatch):
    touch("in/a.png", "in/closed/b.png")
    listdir = os.listdir

    def deny(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", deny)
    ok, closed = find_inputs(["in"], output=None).found
    assert ok.problem is None
    assert "Permission denied" in closed.problem


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
    for inputs, output in ((["in"], "x.png"), (["in"], "file"), (["in"], "-"), (["a.png"], "x.gif")):
        with pytest.raises(UsageError):
            outputs(inputs, output)
    for template in (
        "{stem",
        "{model}.png",
        "{stem.__class__}.png",
        "{}.png",
        "a/{stem}.png",
        "{stem}",
        "{stem:d}.png",
    ):
        with pytest.raises(UsageError):
            outputs(["in"], "out", template=template)
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
    monkeypatch.setattr(paths, "_folds_case", lambda folder: True)
    with pytest.raises(CollisionError):
        outputs(["in"], "out")


def test_an_output_through_a_link_is_still_an_input():
    touch("in/a.png")
    os.symlink("in", "also")
    with pytest.raises(CollisionError, match="both an input and an output"):
        outputs(["in"], "also")


def test_references_pair_by_relative_stem():
    touch("in/a.png", "in/sub/a.png", "clean/a.bmp", "clean/sub/a.tif", "clean/sub/a.png", "in/b.png")
    jobs, _ = plan_jobs(find_inputs(["in"], output="out"), Naming("sr", {}), "out", Path("clean"))
    paired = {str(job.input): job for job in jobs}
    assert str(paired["in/a.png"].reference) == "clean/a.bmp"
    assert "both be its reference" in str(paired["in/sub/a.png"].problem)
    assert "no reference b" in str(paired["in/b.png"].problem)
    with pytest.raises(UsageError):
        plan_jobs(find_inputs(["in"], output="out"), Naming("sr", {}), "out", Path("clean/a.bmp"))
