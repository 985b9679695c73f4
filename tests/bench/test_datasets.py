import json
import os
from pathlib import Path

import pytest
from PIL import Image

from enhance_cli.bench.datasets import find
from enhance_cli.bench.datasets.find import ENVIRONMENT, choose, data_root, found_in, needs_root, pairs
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN_SETS, canonical
from enhance_cli.bench.datasets.listing import cells, listing, to_json
from enhance_cli.errors import UsageError

FIVE = ("baby", "bird", "butterfly", "head", "woman")


def draw(folder: Path, *names: str, size: tuple[int, int] = (12, 8)) -> None:
    """Small pictures; a name without suffix gets .png."""
    for name in names:
        path = folder / (name if "." in name else f"{name}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path)


def names(paths: tuple[Path, ...], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_names_are_found_in_any_case_and_below_test(root: Path):
    assert [found.name for found in choose(["SET12", "Set5"], root)] == ["Set12", "Set5"]


def test_without_names_all_come_known_ones_first(root: Path):
    assert [found.name for found in choose([], root)] == ["Set5", "Set12", "Mine"]


def test_images_are_in_the_order_of_their_names_and_limited(root: Path):
    (root / "set5" / "notes.txt").write_text("no picture")
    (root / "set5" / "._img_1.png").write_bytes(b"what macOS leaves behind")
    assert [path.name for path in choose(["Set5"], root)[0].images] == ["img_1.png", "img_2.png"]
    assert [path.name for path in choose(["Set5"], root, limit=1)[0].images] == ["img_1.png"]


@pytest.mark.parametrize("place", ["HR", "hr", "GTmod12", "original"])
def test_pictures_may_lie_in_a_folder_within(root: Path, place: str):
    (root / "Set14").mkdir()
    (root / "set5").rename(root / "Set14" / place)
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
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert data_root(None) is None
    user.mkdir(parents=True)
    assert data_root(None) == user
    monkeypatch.setenv(ENVIRONMENT, str(other))
    assert data_root(None) == other
    assert data_root(tmp_path) == tmp_path


def test_a_root_that_was_named_and_is_missing_says_how_to_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(UsageError, match=r"--data-root DIR or set ENHANCE_DATA"):
        data_root(tmp_path / "nowhere")
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="nowhere"):
        data_root(None)


def test_a_stale_environment_stops_only_what_needs_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    draw(tmp_path / "Mine", "a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "nowhere"))
    for names in (["./Mine"], ["Mine"], ["builtin"], ["Mine", "./Mine"]):
        assert choose(names, data_root(None, needed=needs_root(names)))
    for names in ([], ["Set5"], ["./Mine", "Set5"]):
        with pytest.raises(UsageError, match="nowhere"):
            data_root(None, needed=needs_root(names))
    with pytest.raises(UsageError, match="elsewhere"):
        data_root(tmp_path / "elsewhere", needed=False)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert data_root(None, needed=False) == tmp_path


def test_paths_are_read_whatever_the_root_is(tmp_path: Path):
    draw(tmp_path / "Mine", "a")
    (found,) = choose([str(tmp_path / "Mine")], tmp_path / "nowhere")
    assert found.name == "Mine"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("b100", "BSD100"),
        ("DIV2K_valid_HR", "DIV2K-valid"),
        ("McM", "McMaster"),
        ("RealBlur_J", "RealBlur-J"),
        ("gopro", "GoPro"),
        ("Mine", "Mine"),
    ],
)
def test_aliases_mean_the_known_set(name: str, expected: str):
    assert canonical(name) == expected


def test_every_way_of_naming_a_set_names_all_its_pictures():
    for known in KNOWN_SETS.values():
        assert all(len(set(naming)) == known.images for naming in known.namings), known.name
    assert KNOWN_SETS["DIV2K-valid"].namings[0][::99] == ("0801", "0900")


def test_a_set_under_an_alias_is_found_by_either_name(tmp_path: Path):
    draw(tmp_path / "B100", "1")
    assert choose(["BSD100"], tmp_path) == choose(["b100"], tmp_path)


def test_training_pictures_beside_a_test_set_are_no_set(tmp_path: Path):
    draw(tmp_path / "DIV2K" / "DIV2K_train_HR", "0001")
    draw(tmp_path / "DIV2K" / "DIV2K_valid_HR", "0801", "0802", size=(8, 8))
    draw(tmp_path / "DIV2K" / "DIV2K_valid_LR_bicubic" / "X4", "0801x4", "0802x4", size=(2, 2))
    (found,) = found_in(tmp_path)
    assert found.name == "DIV2K-valid"
    assert names(found.inputs["x4"], tmp_path / "DIV2K") == [
        "DIV2K_valid_LR_bicubic/X4/0801x4.png",
        "DIV2K_valid_LR_bicubic/X4/0802x4.png",
    ]


@pytest.mark.parametrize(
    ("clean", "small", "pattern"),
    [("HR", "LR_bicubic/X{}", "{}x{}"), ("GTmod12", "LRbicx{}", "{}"), ("", "LR_bicubic/X{}", "{}x{}")],
)
def test_small_pictures_beside_clean_ones_are_ready_made_inputs(
    tmp_path: Path, clean: str, small: str, pattern: str
):
    folder = tmp_path / "Set5"
    draw(folder / clean, *FIVE, size=(13, 9))
    for scale in (2, 3):
        draw(
            folder / small.format(scale),
            *(pattern.format(name, scale) for name in FIVE),
            size=(13 // scale, 9 // scale),
        )
    (found,) = found_in(tmp_path)
    assert (found.complete, found.problem) == (True, None)
    assert sorted(found.inputs) == ["x2", "x3"]
    expected = [f"{small.format(3)}/{pattern.format(name, 3)}.png" for name in FIVE]
    assert names(found.inputs["x3"], folder) == expected


def test_the_limit_holds_for_inputs_too(tmp_path: Path):
    draw(tmp_path / "Set5" / "HR", *FIVE)
    draw(tmp_path / "Set5" / "LR_bicubic" / "X4", *(f"{name}x4" for name in FIVE), size=(3, 2))
    (found,) = choose(["Set5"], tmp_path, limit=2)
    assert [path.name for path in found.inputs["x4"]] == ["babyx4.png", "birdx4.png"]
    assert found.complete and found.problem is None


def test_selfexsr_has_each_scale_in_a_folder_of_its_own(tmp_path: Path):
    numbers = [f"img_{number:03}" for number in range(1, 6)]
    for scale, size in ((2, (10, 8)), (3, (9, 9)), (4, (8, 8))):
        place = tmp_path / "Set5" / f"image_SRF_{scale}"
        draw(place, *(f"{one}_SRF_{scale}_HR" for one in numbers), size=size)
        draw(place, *(f"{one}_SRF_{scale}_LR" for one in numbers), size=(size[0] // scale, size[1] // scale))
        draw(place, *(f"{one}_SRF_{scale}_SRCNN" for one in numbers), size=size)
    (found,) = found_in(tmp_path)
    assert found.complete
    # The pictures are those of scale 2; the small ones of scale 4 fit them, those of 3 do not.
    assert found.images[0].name == "img_001_SRF_2_HR.png" and len(found.images) == 5
    assert found.inputs["x4"][4].name == "img_005_SRF_4_LR.png"
    assert sorted(found.inputs) == ["x2", "x4"]
    assert (
        "x3 inputs are left out, img_001_SRF_3_LR.png is 3x3 for img_001_SRF_2_HR.png of 10x8"
        in found.problem
    )


def test_one_folder_of_selfexsr_can_be_named(tmp_path: Path):
    draw(tmp_path / "image_SRF_4", "a_SRF_4_HR", size=(8, 8))
    draw(tmp_path / "image_SRF_4", "a_SRF_4_LR.jpg", size=(2, 2))
    (found,) = choose([str(tmp_path / "image_SRF_4")], None)
    assert [path.name for path in found.images] == ["a_SRF_4_HR.png"]
    assert [path.name for path in found.inputs["x4"]] == ["a_SRF_4_LR.jpg"]


@pytest.mark.parametrize(
    "layout",
    ["test/{scene}/{side}", "test/{side}/{scene}", "{scene}/{side}", "{side}/{scene}"],
)
def test_trees_of_blur_and_sharp_are_pairs(tmp_path: Path, layout: str):
    folder = tmp_path / "GOPRO_Large"
    for scene in ("A", "B"):
        for side in ("blur", "sharp", "blur_gamma"):
            draw(folder / layout.format(scene=scene, side=side), "000001", "000002")
    draw(folder / "train" / "C" / "blur", "000003")
    (found,) = found_in(tmp_path)
    assert found.name == "GoPro"
    sharp = [layout.format(scene=scene, side="sharp") for scene in "AABB"]
    assert [str(path.parent.relative_to(folder)) for path in found.images] == sharp
    blurred = [name.replace("sharp", "blur") for name in names(found.images, folder)]
    assert names(found.inputs["paired"], folder) == blurred


def test_sets_of_pairs_below_test_stay_apart(tmp_path: Path):
    for name in ("HIDE", "RealBlur_J"):
        draw(tmp_path / "test" / name / "input", "1")
        draw(tmp_path / "test" / name / "target", "1")
    assert [(one.name, len(one.inputs["paired"])) for one in found_in(tmp_path)] == [
        ("HIDE", 1),
        ("RealBlur-J", 1),
    ]


def test_inputs_that_are_not_there_for_every_picture_are_left_out_and_named(tmp_path: Path):
    draw(tmp_path / "Mine" / "blur", "a", "c")
    draw(tmp_path / "Mine" / "sharp", "a", "b", "c")
    (found,) = found_in(tmp_path)
    assert len(found.images) == 3 and not found.inputs
    assert (
        found.problem == f"Mine in {tmp_path / 'Mine'}: the paired inputs are left out, there is none for b"
    )


def test_inputs_without_a_picture_are_told_of(tmp_path: Path):
    draw(tmp_path / "Mine" / "blur", "a", "b")
    draw(tmp_path / "Mine" / "sharp", "a")
    (found,) = found_in(tmp_path)
    assert len(found.inputs["paired"]) == 1
    assert "without a reference: b" in found.problem


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (FIVE[:4], "4 pictures where 5 belong; missing: woman"),
        (FIVE[4:], "1 pictures where 5 belong; missing: baby, bird, butterfly and 1 more"),
        ((*FIVE, "lena"), "6 pictures where 5 belong; not of it: lena"),
        (("x", "y"), "2 pictures where 5 belong"),
        (("img_001", "img_002", "img_004", "img_005"), "4 pictures where 5 belong; missing: img_003"),
        ((*FIVE[:4], "zebra"), "missing: woman; not of it: zebra"),
        ((*FIVE[:3], "zebra"), "4 pictures where 5 belong; missing: head, woman; not of it: zebra"),
    ],
)
def test_a_set_that_is_not_whole_says_what_it_lacks(tmp_path: Path, there: tuple[str, ...], words: str):
    draw(tmp_path / "Set5", *there)
    (found,) = choose(["Set5"], tmp_path, limit=1)
    assert (found.expected, found.complete) == (5, False)
    assert found.problem == f"Set5 in {tmp_path / 'Set5'}: {words}"


@pytest.mark.parametrize(
    "there",
    [
        ("Baby", "Bird", "Butterfly", "Head", "Woman"),
        ("a", "b", "c", "d", "e"),
        ("baby", "bird", "c", "d", "e"),
    ],
)
def test_a_set_of_the_right_number_named_in_another_way_is_whole(tmp_path: Path, there: tuple[str, ...]):
    draw(tmp_path / "Set5", *there)
    assert [(one.complete, one.problem) for one in found_in(tmp_path)] == [(True, None)]


def test_where_the_number_is_not_known_nothing_is_claimed(tmp_path: Path):
    draw(tmp_path / "ICB", "a")
    draw(tmp_path / "Mine", "a")
    assert [(one.expected, one.complete, one.problem) for one in found_in(tmp_path)] == [
        (None, None, None)
    ] * 2


def test_a_name_may_be_the_path_of_any_folder(root: Path, monkeypatch: pytest.MonkeyPatch):
    (found,) = choose([str(root / "Mine")], None)
    assert (found.name, len(found.images), found.folder) == ("Mine", 2, root / "Mine")
    assert choose([str(root / "set5") + os.sep], root)[0].tasks == ("sr",)
    monkeypatch.chdir(root)
    assert choose(["Mine"], None)[0].images == (Path("Mine/img_1.png"), Path("Mine/img_2.png"))
    monkeypatch.chdir(root / "Mine")
    assert choose(["."], None)[0].name == "Mine"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no folder"),
        (lambda path: path.write_text("a file"), "no folder"),
        (lambda path: path.mkdir(), "no pictures in"),
    ],
)
def test_a_path_without_a_set_is_an_error(tmp_path: Path, make, message: str):
    make(tmp_path / "here")
    with pytest.raises(UsageError, match=message):
        choose([str(tmp_path / "here")], None)


def test_a_machine_without_data_has_the_built_in_set(tmp_path: Path):
    (found,) = choose([], None)
    assert found.name == BUILTIN and found.complete
    assert [path.stem for path in found.images] == ["astronaut", "camera", "cat", "coffee"]
    assert not found.gray
    assert choose(["builtin"], tmp_path) == (found,)
    with pytest.raises(UsageError, match=r"no test set 'Set5': give --data-root"):
        choose(["Set5"], None)


def test_the_built_in_set_of_an_installed_package_lies_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    draw(tmp_path / "enhance_cli" / "builtin", "a", "b")
    monkeypatch.setattr(find.enhance_cli, "__file__", str(tmp_path / "enhance_cli" / "__init__.py"))
    assert find.builtin.__wrapped__().folder == tmp_path / "enhance_cli" / "builtin"
    (tmp_path / "enhance_cli" / "builtin").rename(tmp_path / "gone")
    with pytest.raises(UsageError, match="reinstall"):
        find.builtin.__wrapped__()


def test_the_listing_shows_what_is_there_and_what_is_not(root: Path):
    listed = {one.name: one for one in listing(root)}
    assert list(listed)[:4] == ["Set5", "Set12", "Mine", BUILTIN]
    assert set(listed) == {*KNOWN_SETS, "Mine"}
    assert cells(listed["Set5"]) == ("Set5", "sr", "2/5", "incomplete", "-", str(root / "set5"))
    assert cells(listed["Mine"]) == ("Mine", "-", "2", "-", "-", str(root / "Mine"))
    assert cells(listed["ICB"]) == ("ICB", "dejpeg", "0", "not found", "-", "-")
    assert listing(None)[0].name == BUILTIN
    event = json.loads(to_json(listed["Set5"]))
    assert (event["event"], event["images"], event["complete"]) == ("dataset", 2, False)
    assert event["folder"] == str(root / "set5")


def test_two_folders_pair_by_name_whatever_marks_the_names_have(tmp_path: Path):
    draw(tmp_path / "small", "a_x4.jpg", "deep/b_LR")
    draw(tmp_path / "large", "a", "deep/b_HR")
    found = pairs(tmp_path / "small", tmp_path / "large", ["x4", "q10"])
    assert names(found.images, tmp_path) == ["large/a.png", "large/deep/b_HR.png"]
    assert names(found.inputs["x4"], tmp_path) == ["small/a_x4.jpg", "small/deep/b_LR.png"]
    assert found.inputs["q10"] == found.inputs["x4"]
    assert (found.name, found.complete) == ("large", None)
    assert pairs(tmp_path / "small", tmp_path / "large", ["x4"], limit=1).inputs["x4"] == (
        tmp_path / "small" / "a_x4.jpg",
    )


def test_marks_that_belong_to_the_names_stay(tmp_path: Path):
    for side in ("in", "out"):
        draw(tmp_path / side, "a", "a_x2")
    found = pairs(tmp_path / "in", tmp_path / "out", ["x2"])
    assert [path.name for path in found.inputs["x2"]] == [path.name for path in found.images]


@pytest.mark.parametrize(
    ("given", "clean", "message"),
    [
        ("ab", "abc", r"--input .*in has nothing for c of .*out$"),
        ("abc", "ab", r"--reference .*out has nothing for c of .*in$"),
        ("a", "abcdef", r"nothing for b, c, d and 2 more of"),
        ("", "a", "holds no pictures"),
    ],
)
def test_folders_that_do_not_pair_name_the_first_offenders(
    tmp_path: Path, given: str, clean: str, message: str
):
    for side, stems in (("in", given), ("out", clean)):
        (tmp_path / side).mkdir()
        draw(tmp_path / side, *stems)
    with pytest.raises(UsageError, match=message) as caught:
        pairs(tmp_path / "in", tmp_path / "out", ["x2"])
    assert "\n" not in str(caught.value)


def test_two_inputs_for_one_reference_do_not_pair(tmp_path: Path):
    draw(tmp_path / "in", "a.png", "a.jpg")
    draw(tmp_path / "out", "a")
    with pytest.raises(UsageError, match=r"--reference .* has nothing for a\.png"):
        pairs(tmp_path / "in", tmp_path / "out", ["x2"])


def test_a_missing_side_of_pairs_is_an_error(tmp_path: Path):
    draw(tmp_path / "in", "a")
    with pytest.raises(UsageError, match=r"--reference .*out is not a folder"):
        pairs(tmp_path / "in", tmp_path / "out", ["x2"])


def test_every_known_set_is_in_the_documentation():
    text = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    for known in KNOWN_SETS.values():
        assert f"| {known.name} |" in text
        assert known.images is None or f"| {known.images} |" in text


def test_shared_sets_are_complete(shared: Path):
    found = {one.name: (one.complete, one.problem) for one in found_in(shared / "data")}
    for name in ("Set5", "Set14", "BSD100", "Classic5", "LIVE1", "Set12", "BSD68", "CBSD68"):
        assert found[name] == (True, None)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("noisy/{}", "clean/{}"),
        ("noisy/{}", "gt/{}"),
        ("input_crops/{}", "target_crops/{}"),
        ("{}_real", "{}_mean"),
        ("scene001/blur/blur_{}", "scene001/gt/gt_{}"),
    ],
)
def test_pairs_of_real_pictures_lie_in_several_ways(tmp_path: Path, given: str, clean: str):
    draw(tmp_path / "CC15", *(side.format(name) for side in (given, clean) for name in ("1", "2")))
    (found,) = found_in(tmp_path)
    assert (found.name, found.tasks, found.protocol) == ("CC15", ("denoise",), "real")
    assert names(found.images, tmp_path / "CC15") == [f"{clean.format(name)}.png" for name in ("1", "2")]
    assert names(found.inputs["paired"], tmp_path / "CC15") == [f"{given.format(name)}.png" for name in "12"]


@pytest.mark.parametrize("inside", [True, False])
def test_small_pictures_of_unknown_making_are_inputs_of_their_own(tmp_path: Path, inside: bool):
    clean = "DIV2K-unknown/HR" if inside else "DIV2K/DIV2K_valid_HR"
    small = "DIV2K-unknown/LR_unknown" if inside else "DIV2K/DIV2K_valid_LR_unknown"
    draw(tmp_path / clean, "0801", "0802", size=(8, 8))
    draw(tmp_path / small / "X4", "0801x4", "0802x4", size=(2, 2))
    found = {one.name: one for one in found_in(tmp_path)}
    assert list(found["DIV2K-unknown"].inputs) == ["x4 real"]
    assert len(found["DIV2K-unknown"].images) == 2


def test_shared_pairs_of_real_noise_are_a_set(shared: Path):
    (found,) = choose(["PolyU"], shared / "data")
    assert (len(found.images), len(found.inputs["paired"]), found.expected) == (20, 20, 100)
