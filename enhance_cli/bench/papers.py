"""What the papers report, to be printed beside what is measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from enhance_cli.arch.contract import Parameters, Task

DATA = "papers.jsonl"
"""First a line of sources, then one for each figure."""
NETWORKS = "paper_networks.jsonl"
"""A line for each network: `arch`, `method` (what tables call it) and those `parameters` that make it the
published one. `tasks` is where it goes by that name, everywhere if left out; `ensemble` is its name with
self-ensemble, which is "+" behind it if left out. ESPCN and FSRCNN come in too many sizes to be listed."""
USUAL_PROTOCOLS: dict[Task, tuple[str, ...]] = {
    "sr": ("matlab-y", "y-only"),
    "dejpeg": ("jpeg-y", "jpeg-rgb"),
    "denoise": ("awgn",),
    "deblur": ("motion", "real"),
    "demosaic": ("bayer",),
}
"""By which the tables were made."""
OWN_PROTOCOLS: dict[tuple[str, Task], tuple[str, ...]] = {("rnan", "denoise"): ("awgn-8bit",)}
"""Where a network's authors measured otherwise: RNAN's noisy test pictures are 8-bit files."""
TABLES: dict[Task, tuple[str, str]] = {
    "sr": ("super_resolution", "super_resolution"),
    "dejpeg": ("jpeg_gray", "jpeg_color"),
    "denoise": ("denoise_gray", "denoise_color"),
    "deblur": ("deblur", "deblur"),
    "demosaic": ("demosaic", "demosaic"),
}
"""For what is measured in one channel, and for the rest; where both differ, networks are made for either."""
COLUMNS: dict[Task, str] = {"deblur": "trained_on_GoPro"}
"""The one column of tables that have none for each setting; for real blur it names the training set."""


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
    protocol: str,
    gray: bool,
    one_channel: bool,
    ensemble: bool = False,
) -> Published | None:
    """What the paper of that network reports there; None if it says nothing.

    `parameters`: all of them, defaults included; `setting`: "x4", "q10", "sigma 25", "bayer"; `gray`: whether
    pictures are measured in one channel; `one_channel`: whether the network takes one.
    """
    one_channel_table, colour_table = TABLES[task]
    if protocol not in OWN_PROTOCOLS.get((arch, task), USUAL_PROTOCOLS[task]):
        return None
    if one_channel_table != colour_table and gray != one_channel:
        return None
    for network in map(json.loads, _lines(NETWORKS)):
        made_so = network["arch"] == arch and network["parameters"].items() <= parameters.items()
        if made_so and task in network.get("tasks", (task,)):
            method = network.get("ensemble", f"{network['method']}+") if ensemble else network["method"]
            column = COLUMNS.get(task) or setting.replace(" ", "")
            return _cells().get((one_channel_table if gray else colour_table, dataset, column, method))
    return None


def _lines(name: str) -> list[str]:
    return files("enhance_cli.bench").joinpath(name).read_text(encoding="utf-8").splitlines()


@cache
def _cells() -> dict[tuple[str, str, str, str], Published]:
    head, *lines = map(json.loads, _lines(DATA))
    found = {}
    for line in lines:
        figures = {name: line.get(name) for name in ("method", "psnr", "ssim", "psnr_b")}
        cell = Published(**figures, source=head["sources"][line["source"]])
        found[line["table"], line["dataset"], line["setting"], cell.method] = cell
    return found
