"""The layouts in which people keep test sets, and how inputs are paired with references by their names.

A layout is a function from a folder to its pictures, or None where they do not lie so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import IMAGE_SUFFIXES
from enhance_cli.metrics.pairing import bare

Named = Mapping[str, Path]
"""Pictures by their path relative to a folder, with "/" and without suffix, in the order of their names."""

SCALES = (2, 3, 4, 8)
CLEAN_FOLDERS = ("HR", "GTmod12", "original", "GT")
"""Folders of clean pictures within a set; small ones made beforehand belong to the first there is."""
PAIRED = "paired"
"""The name of inputs that lie beside their references picture by picture, whatever their damage."""
PAIRED_FOLDERS = (
    ("blur", "sharp"),
    ("input", "target"),
    ("blur", "gt"),
    ("noisy", "clean"),
    ("noisy", "gt"),
    ("input_crops", "target_crops"),
)
"""What the folders of degraded pictures and of clean ones are called."""
PAIRED_ENDINGS = ("_real", "_mean")
"""How the names of degraded pictures and of clean ones end where both lie in one folder."""
MOST_NAMED = 3


@dataclass(frozen=True)
class Pictures:
    """What lies in one folder."""

    images: Named
    inputs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """By name ("x4", "x4 real", "paired"), one for each of `images`."""
    problems: tuple[str, ...] = ()
    """What was left out, and why."""


def read_folder(folder: Path) -> Pictures | None:
    """The pictures of the set in `folder`; None where no layout fits."""
    for layout in (_paired_folders, _paired_names, _by_scale, _unknown_kernel, _plain):
        if pictures := layout(folder):
            return pictures
    return None


def _paired_folders(folder: Path) -> Pictures | None:
    """`test/SCENE/blur` beside `test/SCENE/sharp`, or `blur/` beside `sharp/` with or without scenes."""
    for base in (below(folder, "test"), folder):
        for degraded, clean in PAIRED_FOLDERS:
            if base and (given := _side(base, degraded)) and (images := _side(base, clean)):
                return _with_inputs(images, {PAIRED: given})
    return None


def _side(base: Path, name: str) -> Named:
    whole = below(base, name)
    places = {"": whole} if whole else {f"{scene.name}/": below(scene, name) for scene in folders(base)}
    # RealBlur has blur/blur_1.png beside gt/gt_1.png.
    return {
        f"{scene}{stem.removeprefix(f'{name}_')}": path
        for scene, place in places.items()
        if place
        for stem, path in pictures_in(place, deep=whole is not None).items()
    }


def _paired_names(folder: Path) -> Pictures | None:
    """`a_real.png` beside `a_mean.png`, one frame beside the mean of many."""
    found = pictures_in(folder)
    given, images = (
        {name[: -len(end)]: path for name, path in _ending(found, end).items()} for end in PAIRED_ENDINGS
    )
    return _with_inputs(images, {PAIRED: given}) if given and images else None


def _by_scale(folder: Path) -> Pictures | None:
    """`image_SRF_4/*_HR.png` beside `*_LR.png`, as in SelfExSR's benchmark; other methods' results stay out.

    Each scale crops the clean pictures for itself: those of the smallest scale are taken, which lose least,
    and the small pictures that fit them.
    """
    places = {}
    for place in (folder, *folders(folder)):
        if scale := re.fullmatch("image_SRF_([2348])", place.name, re.IGNORECASE):
            places[int(scale[1])] = pictures_in(place)
    clean = [found for _, place in sorted(places.items()) if (found := _ending(place, "_HR"))]
    small = {
        f"x{scale}": found for scale, place in sorted(places.items()) if (found := _ending(place, "_LR"))
    }
    return _with_inputs(clean[0], small) if clean else None


def _ending(found: Named, end: str) -> Named:
    return {name: path for name, path in found.items() if name.lower().endswith(end.lower())}


def _unknown_kernel(folder: Path) -> Pictures | None:
    """`DIV2K_valid_LR_unknown/X4`, whose clean pictures lie in `DIV2K_valid_HR` beside it."""
    beside = re.sub("_LR_unknown$", "_HR", folder.name)
    place = below(folder.parent, beside) if beside != folder.name else None
    if place is None or not (clean := pictures_in(place)):
        return None
    small = {f"x{scale} real": found for scale in SCALES if (found := _pictures_at(folder, f"X{scale}"))}
    return _with_inputs(clean, small)


def _plain(folder: Path) -> Pictures | None:
    """Clean pictures in the folder itself or in its HR/, with small ones in LR_bicubic/X4 or LRbicx4."""
    places = (folder, *(below(folder, name) for name in CLEAN_FOLDERS))
    clean = next((one for place in places if place and (one := pictures_in(place))), None)
    if clean is None:
        return None
    # DIV2K has DIV2K_valid_HR beside DIV2K_valid_LR_bicubic.
    beside = re.sub("_HR$", "_LR_bicubic", folder.name)
    small: dict[str, Named] = {}
    for scale in SCALES:
        found = _pictures_at(folder, "LR_bicubic", f"X{scale}") or _pictures_at(folder, f"LRbicx{scale}")
        if not found and beside != folder.name:
            found = _pictures_at(folder.parent, beside, f"X{scale}")
        small[f"x{scale}"] = found
        small[f"x{scale} real"] = _pictures_at(folder, "LR_unknown", f"X{scale}")
    return _with_inputs(clean, {name: found for name, found in small.items() if found})


def _pictures_at(folder: Path, *names: str) -> Named:
    place = below(folder, *names)
    return pictures_in(place) if place else {}


def _with_inputs(images: Named, given: Mapping[str, Named]) -> Pictures:
    """Keep the inputs of which there is exactly one for each picture, of the right size."""
    inputs, problems = {}, []
    for name, found in given.items():
        pairs = match(images, found)
        if pairs.missing:
            problems.append(f"the {name} inputs are left out, there is none for {first_of(pairs.missing)}")
        elif misfit := _misfit(name, images, pairs.inputs):
            problems.append(f"the {name} inputs are left out, {misfit}")
        else:
            inputs[name] = pairs.inputs
            if pairs.extra:
                problems.append(f"{name} inputs without a reference: {first_of(pairs.extra)}")
    return Pictures(images, inputs, tuple(problems))


def _misfit(name: str, images: Named, inputs: tuple[Path, ...]) -> str | None:
    """The first small picture that is not of the reference's size divided by the scale."""
    if name == PAIRED:
        # There are thousands; a pair that differs is found when it is measured.
        return None
    scale = int(name[1])
    for clean, small in zip(images.values(), inputs, strict=True):
        width, height = _size(clean)
        if _size(small) != (width // scale, height // scale):
            found = "x".join(map(str, _size(small)))
            return f"{small.name} is {found} for {clean.name} of {width}x{height}"
    return None


def _size(path: Path) -> tuple[int, int]:
    """From the header; (0, 0) of what cannot be read."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, SyntaxError):
        return 0, 0


@dataclass(frozen=True)
class Match:
    """The inputs of a set of references."""

    inputs: tuple[Path, ...]
    """One for each reference, as long as none is missing."""
    missing: tuple[str, ...]
    """References that have no input."""
    extra: tuple[str, ...]
    """Inputs that have no reference."""


def match(references: Named, given: Named) -> Match:
    """Pair by name: as the names are, or without marks such as x2, _LR, _HR where that pairs more."""
    tried = []
    for key in (str, bare):
        waiting: dict[str, list[str]] = defaultdict(list)
        for name in given:
            waiting[key(name)].append(name)
        inputs, missing = [], []
        for name in references:
            if candidates := waiting[key(name)]:
                inputs.append(given[candidates.pop(0)])
            else:
                missing.append(name)
        extra = sorted(name for names in waiting.values() for name in names)
        tried.append(Match(tuple(inputs), tuple(missing), tuple(extra)))
    return min(tried, key=lambda one: len(one.missing) + len(one.extra))


def first_of(names: Sequence[str]) -> str:
    """The first of these names, and how many there are besides: "a, b, c and 4 more"."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def pictures_in(folder: Path, *, deep: bool = False) -> dict[str, Path]:
    """The pictures in `folder`, with `deep` below it as well; hidden ones stay out.

    Raises UsageError if it cannot be read.
    """
    found: dict[str, Path] = {}
    try:
        for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
            relative = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file():
                stem = relative.with_suffix("").as_posix()
                # Two pictures of one stem (a.jpg, a.png) are two pictures.
                found[relative.as_posix() if stem in found else stem] = path
    except OSError as error:
        raise _unreadable(folder, error) from error
    return found


def folders(folder: Path) -> tuple[Path, ...]:
    """The folders in `folder`, by name; hidden ones stay out. Raises UsageError if it cannot be read."""
    try:
        return tuple(
            sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        )
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot read folder {folder} ({error.strerror}); check the path")


def below(folder: Path, *names: str) -> Path | None:
    """The folder `folder/name/name`, in upper or lower case; None where there is none."""
    place: Path | None = folder
    for name in names:
        inside = folders(place) if place and place.is_dir() else ()
        place = next((one for one in inside if one.name.lower() == name.lower()), None)
    return place
