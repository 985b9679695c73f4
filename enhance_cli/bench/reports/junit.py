"""Rows and gates as JUnit XML, which continuous integration servers show as tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree

from enhance_cli.bench.gates import Offence
from enhance_cli.bench.report import Row, figure, label
from enhance_cli.bench.reports.text import one_line


def to_junit(rows: Sequence[Row], offences: Sequence[Offence]) -> str:
    """One suite for each task on each set; in it a test for each row, and a failed one for each missed gate.

    A row's test passes: it was measured. Its time is that of restoring, its output the figures.
    """
    keys = dict.fromkeys(
        [(row.dataset, row.task) for row in rows] + [(missed.dataset, missed.task) for missed in offences]
    )
    suites = [
        _suite(
            dataset,
            task,
            [row for row in rows if (row.dataset, row.task) == (dataset, task)],
            [one for one in offences if (one.dataset, one.task) == (dataset, task)],
        )
        for dataset, task in keys
    ]
    root = ElementTree.Element(
        "testsuites",
        name="enhance bench",
        tests=str(sum(int(suite.attrib["tests"]) for suite in suites)),
        failures=str(len(offences)),
        errors="0",
        time=_seconds(rows),
    )
    root.extend(suites)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(dataset: str, task: str, rows: Sequence[Row], offences: Sequence[Offence]) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite",
        name=one_line(f"{dataset} {task}"),
        tests=str(len(rows) + len(offences)),
        failures=str(len(offences)),
        errors="0",
        skipped="0",
        time=_seconds(rows),
    )
    # Dots make a hierarchy of packages on most servers.
    room = f"bench.{task}.{one_line(dataset).replace('.', '_')}"
    for row in rows:
        name = one_line(f"{row.setting} {row.model or row.baseline_name}")
        case = ElementTree.SubElement(suite, "testcase", classname=room, name=name, time=_seconds([row]))
        ElementTree.SubElement(case, "system-out").text = _told(row)
    for offence in offences:
        suite.append(_missed(offence, room))
    return suite


def _missed(offence: Offence, room: str) -> ElementTree.Element:
    metric = label(offence.metric)
    name = one_line(f"{offence.setting} {offence.model}: {metric} ({offence.reason})")
    case = ElementTree.Element("testcase", classname=room, name=name, time="0.000")
    measured, required = (figure(offence.metric, value) for value in (offence.measured, offence.required))
    failure = ElementTree.SubElement(
        case, "failure", type="gate", message=f"{metric} {measured} is below {required}"
    )
    failure.text = one_line(str(offence))
    return case


def _told(row: Row) -> str:
    """The figures in one line, the baseline's behind them."""
    parts = [f"{label(name)} {figure(name, value)}" for name, value in row.metrics.items()]
    doing_nothing = ", ".join(f"{label(name)} {figure(name, value)}" for name, value in row.baseline.items())
    return one_line("; ".join([*parts, f"{row.baseline_name}: {doing_nothing}", f"protocol {row.protocol}"]))


def _seconds(rows: Sequence[Row]) -> str:
    return f"{math.fsum(score.seconds for row in rows for score in row.scores):.3f}"
