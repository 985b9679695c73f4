import json
import math
from dataclasses import replace

from enhance_cli.bench.papers import Published
from enhance_cli.bench.report import Cost, Row, Score, grouped, table


def row(model: str | None, gain: float = 2.0, setting: str = "x2") -> Row:
    scores = tuple(
        Score(
            image=f"{number}.png",
            baseline={"psnr_y": 30.0 + number, "ssim_y": 0.8},
            metrics={"psnr_y": 30.0 + number + gain, "ssim_y": 0.9} if model else {},
            seconds=seconds,
            megapixels=0.5,
        )
        for number, seconds in enumerate((9.0, 1.0, 1.0))
    )
    return Row(
        task="sr",
        dataset="Set5",
        setting=setting,
        protocol="matlab-y",
        seed=0,
        baseline_name="bicubic",
        model=model,
        weights="ab" * 32 if model else None,
        scores=scores,
    )


def test_row_averages_pictures_and_ignores_the_warm_up():
    assert row("net").metrics == {"psnr_y": 33.0, "ssim_y": 0.9}
    assert row("net").baseline["psnr_y"] == 31.0
    assert row("net").seconds_per_megapixel == 2.0


def test_json_row():
    event = json.loads(row("net").to_json())
    assert (event["event"], event["schema"]) == ("row", 1)
    assert event["metrics"] == {"psnr_y": 33.0, "ssim_y": 0.9}
    assert event["baseline"] == {"name": "bicubic", "psnr_y": 31.0, "ssim_y": 0.8}
    assert (event["model"], event["weights"], event["images"]) == ("net", "ab" * 32, 3)
    assert [one["image"] for one in event["per_image"]] == ["0.png", "1.png", "2.png"]


def test_json_has_null_for_infinity():
    event = json.loads(row("net", gain=math.inf).to_json())
    assert event["metrics"]["psnr_y"] is None


def test_a_papers_figure_stands_beside_ours():
    paper = Published(method="NET", psnr=33.1, source="a paper, table 2")
    content = table([replace(row("net"), paper=paper), row("other")])
    assert content.head[-4:] == ("gain", "paper", "diff", "s/MP")
    assert [line[-3:-1] for line in content.lines] == [("", ""), ("33.10 NET", "-0.10"), ("", "")]
    event = json.loads(replace(row("net"), paper=paper).to_json())
    assert (event["paper"]["method"], event["paper"]["source"]) == ("NET", "a paper, table 2")


def test_table_shows_the_baseline_once_per_setting():
    content = table([row("a"), row("b", gain=-0.5), row(None, setting="x3")])
    assert content.title == "Set5  sr  matlab-y  3 pictures  seed 0"
    assert content.head == ("setting", "model", "PSNR-Y", "SSIM-Y", "gain", "s/MP")
    assert content.lines == (
        ("x2", "bicubic", "31.00", "0.8000", "", ""),
        ("x2", "a", "33.00", "0.9000", "+2.00", "2.00"),
        ("x2", "b", "30.50", "0.9000", "-0.50", "2.00"),
        ("x3", "bicubic", "31.00", "0.8000", "", ""),
    )


def test_cost_stands_only_beside_networks():
    known = Cost(parameters=572_345, gmac_per_megapixel=66.4, peak_memory_mb=812.3)
    small = Cost(parameters=12_000, gmac_per_megapixel=3.14, peak_memory_mb=None)
    unknown = Cost(parameters=12_000_000, gmac_per_megapixel=None, peak_memory_mb=99.6)
    content = table([replace(row("net"), cost=cost) for cost in (known, small, unknown)])
    assert content.head[-4:] == ("s/MP", "params", "work/MP", "peak MB")
    assert [line[-4:] for line in content.lines] == [
        ("", "", "", ""),
        ("2.00", "0.57 M", "66 G", "812"),
        ("2.00", "0.01 M", "3.1 G", ""),
        ("2.00", "12.00 M", "", "100"),
    ]


def test_every_line_has_a_cell_for_each_column():
    paper = Published(method="NET", psnr=33.1, source="a paper")
    cost = Cost(parameters=1, gmac_per_megapixel=None, peak_memory_mb=None)
    content = table([replace(row("a"), paper=paper), replace(row("b"), cost=cost), row(None, setting="x3")])
    assert {len(line) for line in content.lines} == {len(content.head)}


def test_tables_are_one_for_each_set_and_task():
    other = replace(row("net"), dataset="Set14")
    deblur = replace(row("net"), task="deblur", protocol="motion")
    contents = [table(part) for part in grouped([row("a"), other, row("b"), deblur])]
    assert [content.title for content in contents] == [
        "Set5  sr  matlab-y  3 pictures  seed 0",
        "Set14  sr  matlab-y  3 pictures  seed 0",
        "Set5  deblur  motion  3 pictures  seed 0",
    ]
    assert [line[1] for line in contents[0].lines] == ["bicubic", "a", "b"]


def test_a_gain_without_measure_is_left_out_of_the_table():
    lines = table([row("net", gain=-math.inf)]).lines
    assert lines[1][4] == ""


def test_gain_is_of_the_leading_metric_and_none_without_a_network():
    assert row("net", gain=-1.5).gain == -1.5
    assert row(None).gain is None
    assert row("net", gain=math.inf).gain == math.inf


def test_a_wide_table_fits_120_columns():
    paper = Published(method="EDSR-baseline", psnr=33.1, source="a paper")
    cost = Cost(parameters=1_517_571, gmac_per_megapixel=1234.0, peak_memory_mb=12345.0)
    scores = tuple(
        replace(one, baseline=one.baseline | {"psnr_b": 9.0}, metrics=one.metrics | {"psnr_b": 9.0})
        for one in row("net").scores
    )
    wide = replace(row("unet-dejpeg-gray"), setting="sigma 25", paper=paper, cost=cost, scores=scores)
    content = table([wide])
    widths = [max(map(len, column)) for column in zip(content.head, *content.lines, strict=True)]
    assert sum(widths) + 2 * (len(widths) - 1) <= 120


def test_a_metric_of_some_rows_only_leaves_gaps():
    more = tuple(replace(one, metrics=one.metrics | {"lpips": 0.25}) for one in row("a").scores)
    content = table([replace(row("a"), scores=more), row("b")])
    assert content.head[2:6] == ("PSNR-Y", "SSIM-Y", "LPIPS", "gain")
    assert [line[4] for line in content.lines] == ["", "0.2500", ""]


def test_the_picture_that_gained_least_is_told_and_shown_for_real_ones():
    scores = tuple(
        replace(one, metrics={"psnr_y": one.baseline["psnr_y"] + gain, "ssim_y": 0.9})
        for one, gain in zip(row("net").scores, (2.0, -0.25, 1.0), strict=True)
    )
    worst = replace(row("net"), scores=scores)
    assert worst.worst_gain == -0.25
    assert json.loads(worst.to_json())["worst_gain"] == -0.25
    assert row(None).worst_gain is None
    assert json.loads(row("net", gain=-math.inf).to_json())["worst_gain"] is None
    assert "worst" not in table([worst]).head
    content = table([replace(worst, protocol="real")])
    assert content.head[4:6] == ("gain", "worst")
    assert content.lines[1][4:6] == ("+0.92", "-0.25")
