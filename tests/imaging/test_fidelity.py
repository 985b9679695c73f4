import re
from dataclasses import fields

import pytest
from imaging.fidelity import BEGIN, END, PAGE, measured

from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.limits import Limits


def test_the_tables_of_the_page_are_what_is_measured():
    for one in FORMATS.values():
        if one.missing:
            pytest.skip(one.missing)
    text = PAGE.read_text(encoding="utf-8")
    written = text[text.index(BEGIN) + len(BEGIN) : text.index(END)].strip()
    assert written == measured(), "docs/formats.md is out of date: python tests/imaging/fidelity.py"


def test_the_page_names_every_limit():
    text = PAGE.read_text(encoding="utf-8")
    named = dict(re.findall(r"\| `(\w+)` \| ([\d,]+(?: [KMG]iB)?) \|", text))
    units = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    values = {
        name: int(value.split()[0].replace(",", "")) * units[value.partition(" ")[2]]
        for name, value in named.items()
    }
    # `--memory` sets these two.
    budget = {"memory", "pixel_bytes"}
    assert values == {field.name: field.default for field in fields(Limits) if field.name not in budget}
