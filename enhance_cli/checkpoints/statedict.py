"""From what a pickle holds to tensors: dicts and modules walked, every size checked before use."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from enhance_cli.checkpoints.limits import MAX_KEY, check_elements, check_entries, shown
from enhance_cli.checkpoints.pickles import Storage, Stored, Stub, Table
from enhance_cli.errors import ModelError

MAX_TABLES = 3
"""Dicts inside each other: {"model": {"state_dict": ...}}."""
SHOWN_KEYS = 5
"""Keys that are quoted where no weights are found."""


def find_tensors(root: object) -> dict[str, Stored]:
    """All tensors in a checkpoint's object by name; ModelError if there are none.

    Names of dicts inside dicts and of a pickled module's children are joined by dots; the order is PyTorch's.
    """
    found: dict[str, Stored] = {}
    todo, n_entries = [("", root, MAX_TABLES)], 0
    while todo:
        prefix, node, depth = todo.pop()
        module = _attributes(node)
        hidden = module.get("_non_persistent_buffers_set")
        hidden = hidden if isinstance(hidden, list) else []
        tables = [module.get(name) for name in ("_parameters", "_buffers", "_modules")] if module else [node]
        n_entries += len(hidden) + sum(map(_n_entries, tables))
        check_entries(n_entries)  # modules may contain themselves, and dicts may all be the same one
        skipped = {name for name in hidden if type(name) is str}
        for name, value in (item for table in tables[:2] for item in _entries(table).items()):
            if (stored := _stored(value)) and name not in skipped:
                found[_joined(prefix, name)] = stored
        inner = [
            (_joined(prefix, f"{name}."), child, MAX_TABLES if module else depth - 1)
            for name, child in _entries(tables[-1]).items()
            if _attributes(child) or (depth and not module and isinstance(child, Table))
        ]
        todo.extend(reversed(inner))
    if not found:
        keys = ", ".join(shown(key) for key in list(_entries(root))[:SHOWN_KEYS]) or "none"
        raise ModelError(f"holds no weights (its keys: {keys}); give the network's state_dict")
    return found


def load_tensors(
    found: dict[str, Stored], read: Callable[[Storage], bytearray], file_size: int
) -> dict[str, Tensor]:
    """Read the tensors, contiguous; nothing is allocated before all of them are known to fit."""
    check_entries(len(found))
    # An empty axis counts as one, so that the other axes stay bounded.
    check_elements(sum(prod(max(n, 1) for n in stored.shape) for stored in found.values()), file_size)
    for key, stored in found.items():
        n_bytes = stored.storage.size * stored.storage.dtype.itemsize
        steps = zip(stored.shape, stored.stride, strict=True)
        last = stored.offset + sum((n - 1) * step for n, step in steps)
        if 0 not in stored.shape and (last + 1) * stored.dtype.itemsize > n_bytes:
            raise ModelError(f"weight {shown(key)} reaches beyond its storage; it is damaged or hostile")
    contents: dict[str, bytearray] = {}
    tensors = {}
    for key, stored in found.items():
        storage = stored.storage
        if storage.key not in contents:
            contents[storage.key] = read(storage)
        if 0 in stored.shape:
            tensors[key] = torch.empty(stored.shape, dtype=stored.dtype)
            continue
        size, content = storage.dtype.itemsize, contents[storage.key]
        n_elements = storage.size * size // stored.dtype.itemsize
        flat = torch.frombuffer(content, dtype=stored.dtype, count=n_elements, offset=storage.start * size)
        tensors[key] = flat.as_strided(stored.shape, stored.stride, stored.offset).contiguous()
    return tensors


def _attributes(node: object) -> dict[str, Any]:
    """A pickled module's attributes; nothing if it is none."""
    state = node.state if isinstance(node, Stub) else None
    state = state[0] if isinstance(state, tuple) and state else state  # a pair where there are __slots__
    return state if isinstance(state, Table) and state.keys() >= {"_parameters", "_modules"} else {}


def _n_entries(node: object) -> int:
    """How many entries there are to visit, at least 1."""
    return max(1, len(node) + len(node.pairs)) if isinstance(node, Table) else 1


def _entries(node: object) -> dict[str, Any]:
    """What is in a dict of any kind; nothing if it is none."""
    if not isinstance(node, Table):
        return {}
    check_entries(_n_entries(node))
    pairs = [pair for pair in node.pairs if isinstance(pair, list | tuple) and len(pair) == 2]
    return {**{pair[0]: pair[1] for pair in pairs if type(pair[0]) is str}, **node}


def _stored(node: object) -> Stored | None:
    """The tensor that a node is, also as a Variable of before PyTorch 0.2; None if it is none."""
    if isinstance(node, Stub) and isinstance(node.state, tuple) and node.state:
        node = node.state[0]
    return node if isinstance(node, Stored) else None


def _joined(prefix: str, name: str) -> str:
    """A weight's name; ModelError for one that could not be shown, or that modules inside themselves made."""
    if len(prefix) + len(name) > MAX_KEY or not name.isprintable():
        raise ModelError(f"names a weight {shown(prefix + name[:MAX_KEY])}; it is damaged or hostile")
    return prefix + name
