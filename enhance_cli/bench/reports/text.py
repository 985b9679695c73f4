"""Names and figures as every report writes them."""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
# What XML 1.0 and HTML forbid; lone surrogates are how Python reads file names of other encodings.
_ILLEGIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def legible(text: str) -> str:
    """The text with a mark for each character that no document may hold; can always be encoded."""
    return _ILLEGIBLE.sub(REPLACEMENT, text)


def one_line(text: str) -> str:
    """Legible, with every run of white space as one space."""
    return " ".join(legible(text).split())


def number(value: float | None, digits: int = 6) -> str:
    """A figure for machines: point, no grouping, "inf", "nan"; nothing for None."""
    return "" if value is None else str(round(value, digits))
