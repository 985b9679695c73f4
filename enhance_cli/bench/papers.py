"""What the papers report, to be printed beside what is measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from enhance_cli.arch.contract import Parameters, Task

DATA = "papers.jsonl"
"""First a line of sources, then one for each figure."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One cell of a paper's table."""

    method: str
    psnr: float
    ssim: float | None = None
    psnr_b: float | None = None
    source: str
    """Title of the paper, and which of its tables."""


@dataclass(frozen=True)
class PublishedNetwork:
    """A network as a paper has it."""

    method: str
    """What tables call it."""
    parameters: Parameters
    """Those that make it the published one; others may differ."""
    tasks: tuple[Task, ...] = ()
    """Where it goes by that name; empty: everywhere."""
    ensemble: str | None = None
    """Its name with self-ensemble; None: with "+" behind."""


METHODS: dict[str, tuple[PublishedNetwork, ...]] = {
    "arcnn": (PublishedNetwork("ARCNN", {"fast": False}),),
    "csnln": (PublishedNetwork("CSNLN", {"n_feats": 128, "depth": 12}),),
    "dncnn": (
        PublishedNetwork("CDnCNN", {"n_colours": 3, "n_feats": 64}),
        PublishedNetwork("DnCNN-3", {"n_colours": 1, "n_feats": 64, "n_layers": 20}, ("sr", "dejpeg")),
        PublishedNetwork("DnCNN-B", {"n_colours": 1, "n_feats": 64, "n_layers": 20}, ("denoise",)),
        PublishedNetwork("DnCNN-S", {"n_colours": 1, "n_feats": 64, "n_layers": 17}, ("denoise",)),
    ),
    "edsr": (
        PublishedNetwork("EDSR", {"n_blocks": 32, "n_feats": 256}),
        PublishedNetwork("EDSR-baseline", {"n_blocks": 16, "n_feats": 64}),
    ),
    "fdncnn": (PublishedNetwork("FDnCNN", {"n_feats": 64, "n_layers": 20}),),
    "ffdnet": (
        PublishedNetwork("FFDNet", {"n_colours": 1, "n_feats": 64, "n_layers": 15}),
        PublishedNetwork("FFDNet", {"n_colours": 3, "n_feats": 96, "n_layers": 12}),
    ),
    "ircnn": (PublishedNetwork("IRCNN", {"n_feats": 64}),),
    "mdsr": (PublishedNetwork("MDSR", {"n_blocks": 80, "n_feats": 64}),),
    "memnet": (PublishedNetwork("MemNet", {}),),
    "mimo_unet": (
        PublishedNetwork("MIMO-UNet", {"n_res": 8, "n_feats": 32}, ensemble=""),
        PublishedNetwork("MIMO-UNet+", {"n_res": 20, "n_feats": 32}),
    ),
    "rcan": (PublishedNetwork("RCAN", {"n_groups": 10, "n_blocks": 20, "n_feats": 64}),),
    "rnan": (PublishedNetwork("RNAN", {"n_groups": 10, "n_feats": 64}),),
    "san": (PublishedNetwork("SAN", {"n_groups": 20, "n_blocks": 10, "n_feats": 64}),),
    "srcnn": (PublishedNetwork("SRCNN", {"n_colours": 1}),),
    "srresnet": (PublishedNetwork("SRResNet", {"n_blocks": 16, "n_feats": 64}),),
    "vdsr": (PublishedNetwork("VDSR", {"n_colours": 1, "n_layers": 20, "n_feats": 64}),),
}
"""By key in the registry; the first that fits is the one.  ESPCN and FSRCNN come in too many sizes."""
USUAL: dict[Task, tuple[str, ...]] = {
    "sr": ("matlab-y", "y-only"),
    "dejpeg": ("jpeg-y", "jpeg-rgb"),
    "denoise": ("awgn",),
    "deblur": ("motion", "real"),
    "demosaic": ("bayer",),
}
"""Protocols by which the tables were made."""
PROTOCOLS: dict[str, dict[Task, tuple[str, ...]]] = {"rnan": {"denoise": ("awgn-8bit",)}}
"""Where a network's authors measured otherwise: RNAN's noisy test pictures are 8-bit files."""
DEBLUR = "trained_on_GoPro"
"""How tables of real blur head what published networks were trained on."""


def published(
    arch: str,
    parameters: Parameters,
    *,
    task: Task,
    dataset: str,
    setting: str,
    protocol: str,
    gray: bool,
    one_channel: bool,
    ensemble: bool = False,
) -> Published | None:
    """What the paper of that network reports there; None if it says nothing.

    `parameters`: all of them, defaults included; `setting`: "x4", "q10", "sigma 25", "bayer"; `gray`: whether
    pictures are measured in one channel; `one_channel`: whether the network takes one.
    """
    if protocol not in PROTOCOLS.get(arch, {}).get(task, USUAL[task]):
        return None
    if task in ("dejpeg", "denoise") and gray != one_channel:
        return None
    known = next((one for one in METHODS.get(arch, ()) if _fits(one, parameters, task)), None)
    if known is None:
        return None
    plus = f"{known.method}+" if known.ensemble is None else known.ensemble
    column = DEBLUR if task == "deblur" else setting.replace(" ", "")
    return _cells().get((_table(task, gray), dataset, column, plus if ensemble else known.method))


def _fits(known: PublishedNetwork, parameters: Parameters, task: Task) -> bool:
    same = all(parameters.get(key) == value for key, value in known.parameters.items())
    return same and (not known.tasks or task in known.tasks)


def _table(task: Task, gray: bool) -> str:
    match task:
        case "sr":
            return "super_resolution"
        case "dejpeg":
            return "jpeg_gray" if gray else "jpeg_color"
        case "denoise":
            return "denoise_gray" if gray else "denoise_color"
    return task


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
