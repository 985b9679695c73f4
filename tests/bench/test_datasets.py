from pathlib import Path

import pytest

from enhance_cli.bench.datasets import ENVIRONMENT, choose, data_root, found_in
from enhance_cli.errors import UsageError


def test_names_are_found_in_any_case_and_below_test(root: Path):
    assert [found.name for found in choose(["SET12", "Set5"], root)] == ["Set12", "Set5"]


def test_without_names_all_come_known_ones_first(root: Path):
    assert [found.name for found in choose([], root)] == ["Set5", "Set12", "Mine"]


def test_images_are_in_the_order_of_their_names_and_limited(root: Path):
    (root / "set5" / "notes.txt").write_text("no picture")
    assert [path.name for path in choose(["Set5"], root)[0].images] == ["img_1.png", "img_2.png"]
    assert [path.name for path in choose(["Set5"], root, limit=1)[0].images] == ["img_1.png"]


def test_pictures_may_lie_in_hr(root: Path):
    (root / "Set14").mkdir()
    (root / "set5").rename(root / "Set14" / "HR")
    assert [found.name for found in found_in(root)] == ["Set14", "Set12", "Mine"]


def test_tasks_are_those_of_the_literature(root: Path):
    assert {found.name: found.tasks for found in found_in(root)} == {
        "Set5": ("sr",),
        "Set12": ("denoise",),
        "Mine": (),
    }


def test_an_unknown_set_names_those_that_are_there(root: Path):
    with pytest.raises(UsageError, match=r"'Set6'.*Set5, Set12, Mine"):
        choose(["Set6"], root)


def test_a_root_without_sets_is_an_error(tmp_path: Path):
    with pytest.raises(UsageError, match="no test sets in"):
        choose([], tmp_path)


def test_the_root_comes_from_the_flag_then_the_environment_then_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    user = tmp_path / "enhance" / "datasets"
    user.mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_root(None) == user
    monkeypatch.setenv(ENVIRONMENT, str(other))
    assert data_root(None) == other
    assert data_root(tmp_path) == tmp_path


def test_a_missing_root_says_how_to_set_it(tmp_path: Path):
    with pytest.raises(UsageError, match=r"--data-root DIR or set ENHANCE_DATA"):
        data_root(tmp_path / "nowhere")
