"""Inputs found: no network, no pictures."""

import os
from pathlib import Path

import pytest

from enhance_cli.batch.inputs import find_inputs, split_output
from enhance_cli.errors import UsageError


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*names, **options):
    return [str(one.path) for one in find_inputs(names, **{"output": None, **options}).found]


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
    relative = [str(one.relative) for one in find_inputs(["in/**/*.png"], output=None).found]
    assert relative == ["[x].png", "a.png", "sub/b.png"]
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
