"""Rows for the tests of the reports."""

from enhance_cli.bench.gates import MissedGate
from enhance_cli.bench.papers import Published
from enhance_cli.bench.report import Cost, Row, Score

PAPER = Published(method="NET", psnr=33.1, source="A paper, table 2")
COST = Cost(parameters=572_345, gmac_per_megapixel=66.4, peak_memory_mb=812.34)
NASTY = "<b>&\"'|`*_\x00\x1b\udcff"
"""A file name with everything that some format takes for its own."""


def row(
    model: str | None = "net", *, setting: str = "x2", gain: float = 2.0, images: int = 3, **other
) -> Row:
    """One row of `images` pictures, 30, 31 ... dB for the baseline."""
    scores = tuple(
        Score(
            image=f"{number}.png",
            baseline={"psnr_y": 30.0 + number, "ssim_y": 0.8},
            metrics={"psnr_y": 30.0 + number + gain, "ssim_y": 0.9} if model else {},
            seconds=0.5,
            megapixels=0.25,
        )
        for number in range(images)
    )
    given = {
        "task": "sr",
        "dataset": "Set5",
        "protocol": "matlab-y",
        "seed": 7,
        "baseline_name": "bicubic",
        "weights": "ab" * 32 if model else None,
        "scores": scores,
    }
    return Row(**(given | {"model": model, "setting": setting} | other))


def missed(
    *, metric: str = "psnr_y", required: float = 35.0, reason: str = "--min-psnr", **of_row
) -> MissedGate:
    """A row that does not reach 35 dB."""
    return MissedGate(row(**of_row), metric, required, reason)
