"""The table of tasks, and that everything which is made for each task has one for each."""

from typing import get_args

import pytest
import typer

from enhance_cli.cli.main import app
from enhance_cli.cli.options import OutputFormat
from enhance_cli.tasks import CONDITION_RANGES, TASKS, Task


def test_the_table_has_a_row_for_every_name():
    assert tuple(TASKS) == get_args(Task)
    assert all(name == spec.name for name, spec in TASKS.items())


@pytest.mark.parametrize("spec", TASKS.values(), ids=lambda spec: spec.name)
def test_a_task_has_a_command_with_the_flags_of_its_row(spec):
    options = {one.name for one in typer.main.get_command(app).commands[spec.name].params}
    assert {"scale", "size"} <= options if spec.enlarges else not {"scale", "size"} & options
    assert set(CONDITION_RANGES) & options == {spec.condition} - {None}
    assert ("pattern" in options) == spec.mosaic


def test_formats_are_some_that_can_be_asked_for():
    formats = get_args(get_args(get_args(OutputFormat)[0])[0])
    assert {spec.format for spec in TASKS.values()} <= set(formats)
