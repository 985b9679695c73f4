"""What the papers report, to be printed beside what is measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from enhance_cli.arch.contract import Parameters, Task

DATA = "papers.jsonl"
"""First a line of sources, then one for each figure."""
BLIND_LAYERS = 20
"""DnCNN's depth where one network serves many strengths."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One cell of a paper's table."""

    method: str
    psnr: float
    ssim: float | None = None
    psnr_b: float | None = None
    source: str
    """Title of the paper, and which of its tables."""


def published(
    arch: str,
    parameters: Parameters,
    *,
    task: Task,
    dataset: str,
    setting: str,
    gray: bool,
    ensemble: bool = False,
) -> Published | None:
    """What the paper of that network reports there; None if it says nothing.

    `setting`: "x4", "q10", "sigma 25", "bayer"; `gray`: whether pictures are measured in one channel.
    """
    table = _table(task, gray)
    plus = "+" if ensemble else ""
    for method in _names(arch, parameters, task):
        if cell := _cells().get((table, dataset, setting.replace(" ", ""), method + plus)):
            return cell
    return None


def _table(task: Task, gray: bool) -> str:
    match task:
        case "sr":
            return "super_resolution"
        case "dejpeg":
            return "jpeg_gray" if gray else "jpeg_color"
        case "denoise":
            return "denoise_gray" if gray else "denoise_color"
    return task


def _names(arch: str, parameters: Parameters, task: Task) -> tuple[str, ...]:
    """What tables call the network, the best guess first."""
    match arch:
        case "edsr":
            return ("EDSR",) if parameters["n_feats"] == 256 else ("EDSR-baseline",)
        case "dncnn" if parameters.get("n_colours") == 3:
            return ("CDnCNN",)
        case "dncnn" if parameters.get("n_layers") == BLIND_LAYERS:
            return ("DnCNN-B",) if task == "denoise" else ("DnCNN-3",)
        case "dncnn":
            return ("DnCNN-S", "DnCNN")
        case "mimo_unet":
            return ("MIMO-UNet+",) if parameters.get("n_res") == 20 else ("MIMO-UNet",)
    return NAMES.get(arch, ())


NAMES = {
    "arcnn": ("ARCNN",),
    "csnln": ("CSNLN",),
    "espcn": ("ESPCN",),
    "fdncnn": ("FDnCNN",),
    "ffdnet": ("FFDNet",),
    "fsrcnn": ("FSRCNN",),
    "ircnn": ("IRCNN",),
    "mdsr": ("MDSR",),
    "memnet": ("MemNet",),
    "rcan": ("RCAN",),
    "rnan": ("RNAN",),
    "san": ("SAN",),
    "srcnn": ("SRCNN",),
    "srresnet": ("SRResNet",),
    "vdsr": ("VDSR",),
}


@cache
def _cells() -> dict[tuple[str, str, str, str], Published]:
    text = files("enhance_cli.bench").joinpath(DATA).read_text(encoding="utf-8")
    head, *lines = map(json.loads, text.splitlines())
    return {
        (line["table"], line["dataset"], line["setting"], line["method"]): Published(
            method=line["method"],
            psnr=line["psnr"],
            ssim=line.get("ssim"),
            psnr_b=line.get("psnr_b"),
            source=head["sources"][line["source"]],
        )
        for line in lines
    }
