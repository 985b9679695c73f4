"""The layouts in which people have test sets.

A layout is a function from a folder to its pictures, or None where they do not lie so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from enhance_cli.bench.datasets.contract import some
from enhance_cli.bench.datasets.match import Named, below, folders, match, pictures

SCALES = (2, 3, 4, 8)
CLEAN = ("HR", "GTmod12", "original", "GT")
"""Folders of clean pictures within a set; small ones made beforehand belong to the first there is."""
SIDES = (("blur", "sharp"), ("input", "target"), ("blur", "gt"))
"""What the folders of blurred pictures and of sharp ones are called."""
MOTION = "motion"


@dataclass(frozen=True)
class Pictures:
    """What lies in one folder."""

    images: Named
    inputs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """By the name of their setting, one for each of `images`."""
    problems: tuple[str, ...] = ()
    """What was left out, and why."""


def read_folder(folder: Path) -> Pictures | None:
    """The pictures of the set in `folder`; None where no layout fits."""
    return _blurred(folder) or _by_scale(folder) or _plain(folder)


def _blurred(folder: Path) -> Pictures | None:
    """`test/SCENE/blur` beside `test/SCENE/sharp`, or `blur/` beside `sharp/` with or without scenes."""
    for base in (below(folder, "test"), folder):
        for blur, sharp in SIDES:
            if base and (given := _side(base, blur)) and (clean := _side(base, sharp)):
                return _with_inputs(clean, {MOTION: given})
    return None


def _side(base: Path, name: str) -> Named:
    if whole := below(base, name):
        return pictures(whole, deep=True)
    scenes = {scene.name: below(scene, name) for scene in folders(base)}
    return {
        f"{scene}/{stem}": path
        for scene, place in scenes.items()
        if place
        for stem, path in pictures(place).items()
    }


def _by_scale(folder: Path) -> Pictures | None:
    """`image_SRF_4/*_HR.png` beside `*_LR.png`, as in SelfExSR's benchmark; other methods' results stay out.

    Each scale crops the clean pictures for itself: those of the smallest scale are taken, which lose least,
    and the small pictures that fit them.
    """
    places = {}
    for place in (folder, *folders(folder)):
        if scale := re.fullmatch("image_SRF_([2348])", place.name, re.IGNORECASE):
            places[int(scale[1])] = pictures(place)
    clean = [found for _, place in sorted(places.items()) if (found := _ending(place, "_HR"))]
    small = {
        f"x{scale}": found for scale, place in sorted(places.items()) if (found := _ending(place, "_LR"))
    }
    return _with_inputs(clean[0], small) if clean else None


def _ending(found: Named, end: str) -> Named:
    return {name: path for name, path in found.items() if name.upper().endswith(end)}


def _plain(folder: Path) -> Pictures | None:
    """Clean pictures in the folder itself or in its HR/, with small ones in LR_bicubic/X4 or LRbicx4."""
    for place in (folder, *(below(folder, name) for name in CLEAN)):
        if place and (clean := pictures(place)):
            return _with_inputs(clean, dict(_small(folder)))
    return None


def _small(folder: Path) -> Iterator[tuple[str, Named]]:
    # DIV2K has DIV2K_valid_HR beside DIV2K_valid_LR_bicubic.
    beside = re.sub("_HR$", "_LR_bicubic", folder.name)
    for scale in SCALES:
        ways = (
            below(folder, "LR_bicubic", f"X{scale}"),
            below(folder, f"LRbicx{scale}"),
            below(folder.parent, beside, f"X{scale}") if beside != folder.name else None,
        )
        for place in ways:
            if place and (found := pictures(place)):
                yield f"x{scale}", found
                break


def _with_inputs(images: Named, given: Mapping[str, Named]) -> Pictures:
    """Keep the inputs of which there is exactly one for each picture, of the right size."""
    inputs, problems = {}, []
    for setting, found in given.items():
        pairs = match(images, found)
        if pairs.missing:
            problems.append(f"the {setting} inputs are left out, there is none for {some(pairs.missing)}")
        elif misfit := _misfit(setting, images, pairs.inputs):
            problems.append(f"the {setting} inputs are left out, {misfit}")
        else:
            inputs[setting] = pairs.inputs
            if pairs.extra:
                problems.append(f"{setting} inputs without a reference: {some(pairs.extra)}")
    return Pictures(images, inputs, tuple(problems))


def _misfit(setting: str, images: Named, inputs: tuple[Path, ...]) -> str | None:
    """The first small picture that is not of the reference's size divided by the scale."""
    if setting == MOTION:
        # There are thousands; a pair that differs is found when it is measured.
        return None
    scale = int(setting.removeprefix("x"))
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
