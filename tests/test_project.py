"""What the repository as a whole promises: versions, pins, rooms, sizes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import enhance_cli
from enhance_cli.checkpoints import catalog, store

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPO = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
MAX_WEIGHTS = 40e6
BOTTOM = {"errors", "process", "tasks"}
# Folders that only exist on somebody's own machine, followed by a name.
MACHINE_PATH = re.compile(rb"(?:^|[^A-Za-z0-9._-])/(?:work|farm|root|home|tmp|Users)/[a-z]", re.MULTILINE)


def tracked() -> list[Path]:
    if not (REPO / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True, text=True)
    return [path for name in listed.stdout.split("\0") if name and (path := REPO / name).is_file()]


def test_the_changelog_speaks_of_this_version():
    newest = re.search(r"^## \[(.+?)\]", (REPO / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] == enhance_cli.__version__


def test_weights_are_in_the_wheel_and_small():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["weights"] == "enhance_cli/weights"
    assert sum(path.stat().st_size for path in store.weights_folder().iterdir()) <= MAX_WEIGHTS


def test_the_built_in_pictures_are_in_the_wheel_with_their_terms_and_small():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    folder = REPO / "examples" / "reference"
    assert wheel["force-include"]["examples/reference"] == "enhance_cli/builtin"
    assert wheel["force-include"]["examples/ATTRIBUTION.md"].startswith("enhance_cli/builtin/")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1e6


def test_weights_folder_and_catalog_name_the_same_files():
    named = {weights.file for weights in catalog.catalog()}
    assert named == {path.name for path in store.weights_folder().glob("*.safetensors")}


def test_every_shipped_weight_has_a_recipe_and_a_card_that_tells_its_failures():
    cards = (REPO / "weights" / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]
    told = {card.splitlines()[0]: card for card in cards}
    for weights in catalog.catalog():
        assert "\n- known failures: " in told[weights.name]
        assert (REPO / "recipes" / f"{weights.name}.toml").is_file(), weights.name


def test_every_card_has_a_picture_and_all_are_small_and_not_in_the_wheel():
    cards = (REPO / "weights" / "README.md").read_text(encoding="utf-8")
    paths = [REPO / "docs" / "pictures" / f"{weights.name}.webp" for weights in catalog.catalog()]
    assert set((REPO / "docs" / "pictures").iterdir()) == set(paths)
    assert all(f"(../docs/pictures/{path.name})" in cards for path in paths)
    sizes = [path.stat().st_size for path in paths]
    assert max(sizes) < 60e3 and sum(sizes) < 40e3 * len(sizes)
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert not any(path.startswith("docs") for path in wheel["force-include"])


def test_every_dependency_is_pinned_within_its_range():
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {pin.name: pin for line in lines if line and line[0] != "#" for pin in [Requirement(line)]}
    project = PYPROJECT["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        wanted = Requirement(text)
        if wanted.marker is None:
            (pin,) = pins[wanted.name].specifier
            assert pin.operator == "==", pin
            assert wanted.specifier.contains(pin.version), text


def test_every_room_has_its_place_in_the_layers():
    layers = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name.strip().removeprefix("enhance_cli.") for layer in layers for name in layer.split("|")}
    assert placed == {path.parent.name for path in REPO.glob("enhance_cli/*/__init__.py")} | BOTTOM


def test_check_runs_every_checker():
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    for command in ("ruff check", "ruff format --check", "lint-imports", "mypy"):
        assert f"/{command}\n" in recipe[1]


def test_no_tracked_text_names_a_path_of_one_machine():
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found = MACHINE_PATH.search(content)
            assert not found, f"{path.relative_to(REPO)}: {found[0]!r}"
