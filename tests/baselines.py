"""What doing nothing scores on the sets of the literature, beside what papers print.

    PYTHONPATH=. .venv/bin/python tests/baselines.py ../shared/data    # the table of docs/protocols.md

Minutes on one core; the tests leave the rows of matlab-y out.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image

from enhance_cli.bench.papers import DATA
from enhance_cli.bench.protocols.contract import Case, Setting
from enhance_cli.bench.protocols.jpeg import JpegColour, JpegLuma
from enhance_cli.bench.protocols.mosaic import Mosaic
from enhance_cli.bench.protocols.noise import Noise
from enhance_cli.bench.protocols.sr import SuperResolution
from enhance_cli.metrics.measure import Metrics
from enhance_cli.metrics.psnr import psnr

SETS = ("Set5", "Set14", "BSD100", "Classic5", "LIVE1", "Set12", "BSD68", "CBSD68")
NOTHING = ("Bicubic", "JPEG", "Mosaiced")
"""What tables call doing nothing."""
TOLERANCE = {"psnr": 0.01, "ssim": 0.001, "psnr_b": 0.02}
NOT_MET = {("Set14", "x8", "ssim"), ("BSD100", "x8", "ssim")}
"""Figures that no protocol here gives."""


@dataclass(frozen=True)
class Cell:
    """One cell of a paper's table."""

    dataset: str
    setting: Setting
    printed: Metrics = field(hash=False)
    where: str
    """Whose table."""

    @property
    def checked(self) -> Metrics:
        return {
            name: value
            for name, value in self.printed.items()
            if (self.dataset, self.setting.name, name) not in NOT_MET
        }

    def __str__(self) -> str:
        return f"{self.dataset} {self.setting.name} {self.setting.protocol}"


def cells(sr: str = "y-only") -> Iterator[Cell]:
    """Every cell of doing nothing on the sets above, then noise, whose figure follows from its sigma."""
    head, *lines = map(json.loads, files("enhance_cli.bench").joinpath(DATA).read_text("utf-8").splitlines())
    for line in lines:
        if line["method"] in NOTHING and line["dataset"] in SETS:
            printed = {name: line[name] for name in TOLERANCE if name in line}
            where = head["sources"][line["source"]].partition(",")[0]
            yield Cell(line["dataset"], _setting(line["table"], line["setting"], sr), printed, where)
    for name in ("Set12", "BSD68", "CBSD68"):
        for sigma in (15.0, 25.0, 50.0):
            yield Cell(name, Noise(sigma), {"psnr": 20 * math.log10(255 / sigma)}, "20 log10(255 / sigma)")


def _setting(table: str, name: str, sr: str) -> Setting:
    match table:
        case "super_resolution":
            return SuperResolution(int(name[1:]), sr)
        case "jpeg_gray":
            return JpegLuma(int(name[1:]))
        case "jpeg_color":
            return JpegColour(int(name[1:]))
    return Mosaic()


def measured(cell: Cell, root: Path) -> Metrics:
    """Means over the set, named as in papers.jsonl."""
    scores = [
        _score(cell.setting, clean, number) for number, clean in enumerate(pictures(root, cell.dataset))
    ]
    return {name.removesuffix("_y"): fmean(score[name] for score in scores) for name in scores[0]}


@lru_cache(maxsize=1)
def pictures(root: Path, dataset: str) -> tuple[np.ndarray, ...]:
    """(H, W, C) uint8 in the order of names."""
    found = []
    for path in sorted((root / "test" / dataset).iterdir()):
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
        found.append(pixels.reshape(*pixels.shape[:2], -1))
    return tuple(found)


def _score(setting: Setting, clean: np.ndarray, number: int) -> Metrics:
    case = setting.degrade(clean, number)
    if isinstance(setting, Noise):
        return {"psnr": psnr(case.given, case.reference)}
    return setting.measure(_nothing(setting, case), case.reference)


def _nothing(setting: Setting, case: Case) -> np.ndarray:
    """RNAN's table has the mosaic itself; our baseline fills it."""
    return case.given if isinstance(setting, Mosaic) else case.baseline


def table(root: Path) -> Iterator[str]:
    """Lines of markdown: measured, printed, difference for each metric."""
    heads = [f"{name} | paper | diff" for name in ("PSNR", "SSIM", "PSNR-B")]
    yield f"| set | setting | protocol | {' | '.join(heads)} | printed by |"
    yield "|---|---|---|" + "---:|" * 9 + "---|"
    plain = [cell for cell in cells("matlab-y") if cell.setting.task == "sr"]
    for cell in (*cells(), *plain):
        ours, setting = measured(cell, root), cell.setting
        figures = [x for name in TOLERANCE for x in _columns(ours.get(name), cell.printed.get(name), name)]
        row = (cell.dataset, setting.name, setting.protocol, *figures, cell.where)
        yield f"| {' | '.join(row)} |"


def _columns(ours: float | None, printed: float | None, name: str) -> tuple[str, str, str]:
    if ours is None or printed is None:
        return "", "", ""
    places, more = (4, 4) if name == "ssim" else (2, 3)
    return f"{ours:.{places}f}", f"{printed:.{places}f}", f"{ours - printed:+.{more}f}"


if __name__ == "__main__":
    for row in table(Path(sys.argv[1])):
        print(row, flush=True)
