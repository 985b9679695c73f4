import csv
import io
import math
import re

from bench_rows import COST, NASTY, PAPER, row

from enhance_cli.bench.report import Score, grouped, table
from enhance_cli.bench.reports.tables import to_csv, to_markdown


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_csv_line_holds_everything_of_a_row():
    (line,) = read(to_csv([row("net", paper=PAPER, cost=COST)]))
    assert line == {
        "task": "sr",
        "dataset": "Set5",
        "protocol": "matlab-y",
        "setting": "x2",
        "model": "net",
        "weights": "ab" * 32,
        "images": "3",
        "seed": "7",
        **dict.fromkeys(("psnr", "ssim", "psnr_b", "baseline_psnr", "baseline_ssim", "baseline_psnr_b"), ""),
        "psnr_y": "33.0",
        "ssim_y": "0.9",
        "baseline_name": "bicubic",
        "baseline_psnr_y": "31.0",
        "baseline_ssim_y": "0.8",
        "gain": "2.0",
        "worst_gain": "2.0",
        "paper_method": "NET",
        "paper_psnr": "33.1",
        "diff": "-0.1",
        "seconds_per_megapixel": "2.0",
        "parameters": "572345",
        "gmac_per_megapixel": "66.4",
        "peak_memory_mb": "812.34",
    }


def test_csv_columns_are_the_same_whatever_was_measured():
    deblur = Score("a.png", {"psnr": 25.0, "ssim": 0.7}, {"psnr": 28.0, "ssim": 0.8}, 1.0, 1.0)
    first, second = (to_csv([one]).splitlines()[0] for one in (row(), row(task="deblur", scores=(deblur,))))
    assert first == second


def test_other_metrics_get_columns_of_their_own():
    score = Score("a.png", {"psnr": 25.0, "lpips": 0.3}, {"psnr": 28.0, "lpips": 0.25}, 1.0, 1.0)
    (line,) = read(to_csv([row(scores=(score,))]))
    assert (line["lpips"], line["baseline_lpips"]) == ("0.25", "0.3")


def test_csv_of_the_baseline_alone_has_no_figures_of_a_network():
    (line,) = read(to_csv([row(None)]))
    names = ("model", "weights", "psnr_y", "gain", "diff", "seconds_per_megapixel", "parameters")
    assert {line[name] for name in names} == {""}
    assert line["baseline_psnr_y"] == "31.0"


def test_equal_pictures_are_inf():
    (line,) = read(to_csv([row(gain=math.inf)]))
    assert (line["psnr_y"], line["gain"]) == ("inf", "inf")


def test_any_name_survives_csv():
    name = 'a,"b"\n|\udcff'
    text = to_csv([row(name, dataset=name)])
    line = read(text.encode().decode())[0]
    assert line["model"] == line["dataset"] == 'a,"b"\n|\ufffd'


def test_markdown_holds_the_cells_of_the_terminals_tables():
    rows = [row(None), row("net", paper=PAPER, cost=COST), row("net", dataset="Set14")]
    text = to_markdown(rows)
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
        "Set5, sr, matlab-y, 3 pictures, seed 7",
        "Set14, sr, matlab-y, 3 pictures, seed 7",
    ]
    found = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith("| ---")
    ]
    assert found == [line for content in map(table, grouped(rows)) for line in (content.head, *content.lines)]


def test_markdown_tables_have_a_rule_of_their_width():
    head, rule = to_markdown([row()]).splitlines()[2:4]
    assert rule == "| --- | --- | ---: | ---: | ---: | ---: |"
    assert head.count("|") == rule.count("|")


def test_names_cannot_break_out_of_a_markdown_table():
    lines = to_markdown([row(f"{NASTY}\n[x](y)", dataset=NASTY)]).splitlines()
    escaped = r"\<b\>\&" + "\"'" + r"\|\`\*\_" + "\ufffd" * 3
    assert lines[0] == f"## {escaped}, sr, matlab-y, 3 pictures, seed 7"
    assert lines[5].startswith(rf"| x2 | {escaped} \[x\](y) |")
    assert len(lines) == 6
