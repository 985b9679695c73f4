import json
import math
from dataclasses import replace

import pytest

from enhance_cli.bench.gates import below_baseline, below_floors, raise_if_any, read_baseline, update_baseline
from enhance_cli.bench.report import Row, Score
from enhance_cli.errors import GateError, UsageError


def row(psnr: float = 30.0, ssim: float = 0.9, setting: str = "x2", model: str | None = "net") -> Row:
    score = Score(
        "a.png", {"psnr_y": 28.0, "ssim_y": 0.8}, {"psnr_y": psnr, "ssim_y": ssim} if model else {}, 1.0, 1.0
    )
    return Row(
        task="sr",
        dataset="Set5",
        setting=setting,
        protocol="matlab-y",
        seed=0,
        baseline_name="bicubic",
        model=model,
        weights="ab" * 32,
        scores=(score,),
    )


@pytest.mark.parametrize(
    ("floors", "metrics"),
    [
        ({"psnr": 30.0, "ssim": 0.9}, []),
        ({"psnr": 30.01, "ssim": None}, ["psnr_y"]),
        ({"psnr": 30.01, "ssim": 0.91}, ["psnr_y", "ssim_y"]),
        ({"psnr": None, "ssim": None}, []),
    ],
)
def test_floors_hold_for_every_row(floors, metrics):
    offences = below_floors([row(), row(model=None)], **floors)
    assert [one.metric for one in offences] == metrics


def test_a_figure_that_is_no_number_misses_every_floor():
    assert len(below_floors([row(math.nan)], psnr=0.0, ssim=None)) == 1


def test_offenders_are_named_and_counted():
    offences = below_floors([row(20 + n, setting=f"x{n}") for n in range(7)], psnr=40.0, ssim=None)
    with pytest.raises(GateError, match=r"Set5 x0 net: psnr_y 20\.000 < 40\.000 \(--min-psnr\).*and 2 more"):
        raise_if_any(offences)
    raise_if_any([])


def test_a_baseline_is_kept_and_compared_with(tmp_path):
    path = tmp_path / "baseline.json"
    update_baseline([row(30.0), row(28.0, setting="x3"), row(model=None)], path)
    assert len(read_baseline(path)) == 2
    assert below_baseline([row(29.995)], path, tolerance=0.01) == []
    (offence,) = below_baseline([row(29.98)], path, tolerance=0.01)
    assert (offence.metric, offence.required, offence.measured) == ("psnr_y", 30.0, 29.98)
    (offence,) = below_baseline([row(ssim=0.899)], path, tolerance=0.01)
    assert offence.metric == "ssim_y"
    assert below_baseline([row(40.0)], path, tolerance=0.0) == []
    assert below_baseline([row(model=None)], path, tolerance=0.0) == []


def test_an_update_replaces_its_rows_and_keeps_the_others(tmp_path):
    path = tmp_path / "baseline.json"
    update_baseline([row(30.0), row(28.0, setting="x3")], path)
    update_baseline([row(31.0)], path)
    found = {key[2]: entry["metrics"]["psnr_y"] for key, entry in read_baseline(path).items()}
    assert found == {"x2": 31.0, "x3": 28.0}


def test_equal_pictures_are_a_baseline_too(tmp_path):
    path = tmp_path / "baseline.json"
    update_baseline([row(math.inf)], path)
    assert json.loads(path.read_text())["rows"][0]["metrics"]["psnr_y"] is None
    assert below_baseline([row(math.inf)], path, tolerance=0.0) == []
    assert len(below_baseline([row(50.0)], path, tolerance=0.0)) == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"protocol": "rgb"}, "protocol matlab-y, this run with rgb"),
        ({"seed": 3}, "seed 0, this run with 3"),
        ({"scores": row().scores * 2}, "images 1, this run with 2"),
        ({"model": "other"}, "no row for Set5 x2 other"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, changed, told):
    path = tmp_path / "baseline.json"
    update_baseline([row()], path)
    with pytest.raises(UsageError, match=told):
        below_baseline([replace(row(), **changed)], path, tolerance=0.01)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"schema": 1, "rows": []}', '{"schema": 2}', '{"schema": 2, "rows": [{"task": "sr"}]}'],
)
def test_a_file_that_is_no_baseline(tmp_path, text):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"baseline\.json.*--update-baseline"):
        read_baseline(path)


def test_a_baseline_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        below_baseline([row()], tmp_path / "none.json", tolerance=0.01)


def test_the_same_run_is_never_worse_than_itself(tmp_path):
    path = tmp_path / "baseline.json"
    same = row(31.32012365, 0.123456789)
    update_baseline([same], path)
    assert below_baseline([same], path, tolerance=0.0) == []


def test_a_metric_of_the_baseline_that_the_run_has_not_is_missed(tmp_path):
    path = tmp_path / "baseline.json"
    update_baseline([row()], path)
    poor = replace(row(), scores=(Score("a.png", {"psnr_y": 28.0}, {"psnr_y": 30.0}, 1.0, 1.0),))
    with pytest.raises(UsageError, match="ssim_y, which this run has not"):
        below_baseline([poor], path, tolerance=0.01)


def test_metrics_that_fall_when_pictures_get_better_are_not_judged(tmp_path):
    path = tmp_path / "baseline.json"
    scored = [
        replace(row(), scores=(Score("a.png", {"lpips": 0.5}, {"lpips": value}, 1.0, 1.0),))
        for value in (0.3, 0.1)
    ]
    update_baseline(scored[:1], path)
    assert below_baseline(scored[1:], path, tolerance=0.0) == []


def test_a_baseline_that_is_damaged_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="remove it first"):
        update_baseline([row()], path)
    assert path.read_text() == "{"
