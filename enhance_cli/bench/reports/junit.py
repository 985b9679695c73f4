"""Rows and gates as JUnit XML, which continuous integration servers show as tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

from enhance_cli.bench.gates import MissedGate
from enhance_cli.bench.report import Row, figure, label
from enhance_cli.bench.reports.text import one_line
from enhance_cli.metrics.measure import Metrics


def to_junit(rows: Sequence[Row], missed: Sequence[MissedGate]) -> str:
    """One suite for each task on each set; in it a test for each row, and a failed one for each missed gate.

    A row's test passes: it was measured. Its time is that of restoring, its output the figures.
    """
    root = ElementTree.Element("testsuites", {"name": "enhance bench", **_counts(rows, missed)})
    for dataset, task in dict.fromkeys(
        (row.dataset, row.task) for row in (*rows, *(one.row for one in missed))
    ):
        of_rows = [row for row in rows if (row.dataset, row.task) == (dataset, task)]
        of_missed = [one for one in missed if (one.row.dataset, one.row.task) == (dataset, task)]
        counts = _counts(of_rows, of_missed)
        name = one_line(f"{dataset} {task}")
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, "skipped": "0", **counts})
        # Dots make a hierarchy of packages on most servers.
        package = f"bench.{task}.{one_line(dataset).replace('.', '_')}"
        for row in of_rows:
            name = one_line(f"{row.setting} {row.model or row.baseline_name}")
            time = _seconds([row])
            case = ElementTree.SubElement(suite, "testcase", classname=package, name=name, time=time)
            parts = [*_figures(row.metrics), f"{row.baseline_name}: {', '.join(_figures(row.baseline))}"]
            told = one_line("; ".join([*parts, f"protocol {row.protocol}"]))
            ElementTree.SubElement(case, "system-out").text = told
        for one in of_missed:
            metric = label(one.metric)
            name = one_line(f"{one.row.setting} {one.model}: {metric} ({one.reason})")
            case = ElementTree.SubElement(suite, "testcase", classname=package, name=name, time="0.000")
            measured, required = (figure(one.metric, value) for value in (one.measured, one.required))
            message = f"{metric} {measured} is below {required}"
            failure = ElementTree.SubElement(case, "failure", type="gate", message=message)
            failure.text = one_line(str(one))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _counts(rows: Sequence[Row], missed: Sequence[MissedGate]) -> dict[str, str]:
    tests, failures = str(len(rows) + len(missed)), str(len(missed))
    return {"tests": tests, "failures": failures, "errors": "0", "time": _seconds(rows)}


def _figures(metrics: Metrics) -> list[str]:
    return [f"{label(name)} {figure(name, value)}" for name, value in metrics.items()]


def _seconds(rows: Sequence[Row]) -> str:
    return f"{math.fsum(score.seconds for row in rows for score in row.scores):.3f}"
