import math
from xml.etree import ElementTree

from bench_rows import NASTY, missed, row

from enhance_cli.bench.reports.junit import to_junit


def parsed(rows: list, gates: list) -> ElementTree.Element:
    # Through bytes, as a file would go.
    return ElementTree.fromstring(to_junit(rows, gates).encode())


def test_each_row_is_a_test_that_passes():
    root = parsed([row(None), row("net"), row("net", dataset="Set14")], [])
    assert [(one.get("name"), one.get("tests"), one.get("failures")) for one in root] == [
        ("Set5 sr", "2", "0"),
        ("Set14 sr", "1", "0"),
    ]
    cases = [(one.get("classname"), one.get("name"), one.get("time")) for one in root.iter("testcase")]
    assert cases == [
        ("bench.sr.Set5", "x2 bicubic", "1.500"),
        ("bench.sr.Set5", "x2 net", "1.500"),
        ("bench.sr.Set14", "x2 net", "1.500"),
    ]
    assert not list(root.iter("failure"))
    assert (root.get("tests"), root.get("failures"), root.get("time")) == ("3", "0", "4.500")


def test_the_output_of_a_test_is_its_figures():
    (out,) = parsed([row("net")], []).iter("system-out")
    assert out.text == "PSNR-Y 33.00; SSIM-Y 0.9000; bicubic: PSNR-Y 31.00, SSIM-Y 0.8000; protocol matlab-y"


def test_each_missed_gate_is_a_test_that_fails():
    gates = [missed(), missed(metric="ssim_y", required=0.95, reason="baseline")]
    (suite,) = root = parsed([row("net")], gates)
    assert (suite.get("tests"), suite.get("failures"), root.get("failures")) == ("3", "2", "2")
    failed = {one.get("name"): one.find("failure") for one in suite if one.find("failure") is not None}
    assert {name: failure.get("message") for name, failure in failed.items()} == {
        "x2 net: PSNR-Y (--min-psnr)": "PSNR-Y 33.00 is below 35.00",
        "x2 net: SSIM-Y (baseline)": "SSIM-Y 0.9000 is below 0.9500",
    }
    assert failed["x2 net: PSNR-Y (--min-psnr)"].text == str(missed())


def test_a_gate_of_a_set_without_rows_is_not_lost():
    root = parsed([row("net")], [missed(dataset="Set14")])
    assert [(one.get("name"), one.get("failures")) for one in root] == [("Set5 sr", "0"), ("Set14 sr", "1")]


def test_any_name_and_figure_makes_good_xml():
    bad = missed(dataset=NASTY, model=NASTY, reason=NASTY, required=math.inf)
    root = parsed([row(NASTY, dataset=NASTY)], [bad])
    readable = NASTY[:-3] + "\ufffd" * 3
    assert root[0].get("name") == f"{readable} sr"
    assert next(root.iter("testcase")).get("name") == f"x2 {readable}"
    assert next(root.iter("failure")).get("message") == "PSNR-Y 33.00 is below inf"


def test_nothing_measured_is_an_empty_document():
    root = parsed([], [])
    assert (root.tag, root.get("tests"), len(root)) == ("testsuites", "0", 0)
