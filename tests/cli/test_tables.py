"""Tables of the benchmark."""

import io

import pytest
from rich.console import Console

from enhance_cli.bench.report import Table
from enhance_cli.cli.tables import print_table

CONTENT = Table(
    title="Set5  sr",
    head=(
        "setting",
        "model",
        "PSNR-Y",
        "SSIM-Y",
        "gain",
        "paper",
        "diff",
        "s/MP",
        "params",
        "work/MP",
        "peak MB",
    ),
    lines=(
        ("x4", "bicubic", "28.43", "0.8113", "", "", "", "", "", "", ""),
        (
            "x4",
            "a-model-with-a-name",
            "31.32",
            "0.8832",
            "+2.89",
            "32.46 EDSR",
            "-1.14",
            "0.46",
            "0.40 M",
            "25 G",
            "428",
        ),
    ),
)


def printed(width: int, *, terminal: bool) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=terminal, color_system=None)
    print_table(CONTENT, console)
    return console.file.getvalue()


def test_elsewhere_nothing_is_left_out_or_cut():
    text = printed(1000, terminal=False)
    assert "…" not in text
    assert all(name in text for name in CONTENT.head)


@pytest.mark.parametrize(
    ("width", "left_out"), [(120, ()), (90, ("peak MB", "work/MP")), (80, ("peak MB", "work/MP", "params"))]
)
def test_a_narrow_terminal_shows_fewer_columns_and_cuts_none(width, left_out):
    text = printed(width, terminal=True)
    assert "…" not in text
    assert {name for name in CONTENT.head if name not in text} == set(left_out)
    assert max(map(len, text.splitlines())) <= width
