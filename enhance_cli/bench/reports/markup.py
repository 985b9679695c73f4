"""HTML from nested calls: whatever is not markup already is escaped, so no name can become a tag."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from enhance_cli.bench.reports.text import legible

_VOID = {"img", "input", "meta"}


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


Attribute = str | int | bool | None


def tag(name: str, /, *children: str, **attributes: Attribute) -> Markup:
    """One element; `class_` stands for `class`, `aria_label` for `aria-label`.

    True gives an attribute without value; False and None leave it out.
    """
    opening = f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    return Markup(opening) if name in _VOID else Markup(f"{opening}{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """The parts one after the other, escaped where they are plain text."""
    return Markup("".join(part if isinstance(part, Markup) else escape(legible(part)) for part in parts))


def _attribute(name: str, value: Attribute) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(legible(str(value)))}"'
