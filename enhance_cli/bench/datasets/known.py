"""The test sets of the literature, as known.toml tells of them."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from enhance_cli.arch.contract import Task

BUILTIN = "Builtin"
"""The set that travels with the package."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file that holds a whole set, at its address."""

    url: str
    sha256: str
    """Lower-case hex."""
    bytes: int | None = None
    """Its size; None where nobody told."""


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """One set of the literature."""

    name: str
    tasks: tuple[Task, ...]
    """The task it is measured for, then tasks for which it is taken when only the task is named."""
    images: int | None = None
    """How many pictures it has; None where that is not certain."""
    aliases: tuple[str, ...] = ()
    """Other names; case, "-" and "_" are of no account."""
    namings: tuple[tuple[str, ...], ...] = ()
    """Ways in which its files are named, without suffixes, each in full."""
    home: str
    """Where it comes from, in words."""
    archive: Archive | None = None
    protocol: str | None = None
    """By which it is measured for those tasks, if not by the usual one."""


def canonical(name: str) -> str:
    """The literature's name for `name` ("B100", "set-5"); `name` itself where there is none."""
    return _BY_NAME.get(_plain(name), name)


def _plain(name: str) -> str:
    return re.sub("[-_ ]", "", name.lower())


def _read(table: dict[str, Any]) -> KnownSet:
    first = table.get("first", 1)
    namings = [tuple(table["names"].split())] if "names" in table else []
    namings += [
        tuple(pattern.format(number) for number in range(first, first + table["images"]))
        for pattern in table.get("numbered", ())
    ]
    fields = {key: table[key] for key in ("name", "home", "images", "protocol") if key in table}
    return KnownSet(
        **fields,
        tasks=tuple(table["tasks"]),
        aliases=tuple(table.get("aliases", ())),
        namings=tuple(namings),
        archive=Archive(**table["archive"]) if "archive" in table else None,
    )


_TOML = tomllib.loads(files("enhance_cli.bench.datasets").joinpath("known.toml").read_text(encoding="utf-8"))
KNOWN_SETS: dict[str, KnownSet] = {known.name: known for known in map(_read, _TOML["set"])}
"""By name, in the order in which they are shown."""

_BY_NAME = {
    _plain(name): known.name for known in KNOWN_SETS.values() for name in (known.name, *known.aliases)
}
