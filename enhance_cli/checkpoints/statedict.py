"""From what a pickle holds to tensors: wrappers undone, modules walked, every size checked before use."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from enhance_cli.checkpoints.limits import MAX_KEY, check_elements, check_entries, shown
from enhance_cli.checkpoints.pickles import Storage, Stored, Stub, Table
from enhance_cli.errors import ModelError

WRAPPERS = (
    "params_ema",
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "netG",
    "net_g",
    "generator",
    "ema",
)
"""Keys under which trainings put the weights beside other things; the first that holds some is taken."""
MAX_WRAPPERS = 2
"""Wrappers inside each other: {"model": {"state_dict": ...}}."""
SHOWN_KEYS = 5
"""Keys that are quoted where no weights are found."""
HOLDERS = ("_parameters", "_buffers", "_modules")
"""Attributes of a module that its state dict is made from."""


def find_tensors(root: object) -> dict[str, Stored]:
    """The weights in a checkpoint's object, by name; ModelError if there are none."""
    found = _unwrapped(root, MAX_WRAPPERS)
    if found:
        return found
    keys = ", ".join(shown(key) for key in list(_entries(root))[:SHOWN_KEYS]) or "none"
    raise ModelError(f"holds no weights (its keys: {keys}); give the network's state_dict")


def load_tensors(
    found: dict[str, Stored], read: Callable[[Storage], bytearray], file_size: int
) -> dict[str, Tensor]:
    """Read the tensors, contiguous; nothing is allocated before all of them are known to fit."""
    check_entries(len(found))
    # An empty axis counts as one, so that the other axes stay bounded.
    check_elements(sum(prod(max(n, 1) for n in stored.shape) for stored in found.values()), file_size)
    for key, stored in found.items():
        if not _fits(stored):
            raise ModelError(f"weight {shown(key)} reaches beyond its storage; it is damaged or hostile")
    contents: dict[str, bytearray] = {}
    tensors = {}
    for key, stored in found.items():
        storage = stored.storage
        if storage.key not in contents:
            contents[storage.key] = read(storage)
        tensors[key] = _tensor(stored, contents[storage.key])
    return tensors


def _fits(stored: Stored) -> bool:
    """Whether the tensor's last element lies within its storage."""
    n_bytes = stored.storage.size * stored.storage.dtype.itemsize
    last = stored.offset + sum((n - 1) * step for n, step in zip(stored.shape, stored.stride, strict=True))
    return 0 in stored.shape or (last + 1) * stored.dtype.itemsize <= n_bytes


def _tensor(stored: Stored, content: bytearray) -> Tensor:
    if 0 in stored.shape:
        return torch.empty(stored.shape, dtype=stored.dtype)
    storage, size = stored.storage, stored.storage.dtype.itemsize
    n_elements = storage.size * size // stored.dtype.itemsize
    flat = torch.frombuffer(content, dtype=stored.dtype, count=n_elements, offset=storage.start * size)
    return flat.as_strided(stored.shape, stored.stride, stored.offset).contiguous()


def _unwrapped(node: object, wrappers: int) -> dict[str, Stored]:
    if _attributes(node).keys() >= {"_parameters", "_modules"}:
        return _of_module(node)
    table = _entries(node)
    if wrappers:
        for name in WRAPPERS:
            found = _unwrapped(table.get(name), wrappers - 1)
            if found:
                return found
    return _direct(table) or _numbered(table)


def _direct(table: dict[str, Any], prefix: str = "") -> dict[str, Stored]:
    """The entries that are tensors."""
    return {_joined(prefix, key): stored for key, node in table.items() if (stored := _stored(node))}


def _numbered(table: dict[str, Any]) -> dict[str, Stored]:
    """Several state dicts "0", "1", ... in one file (KAIR's IRCNN), as "0.model.0.weight"."""
    found: dict[str, Stored] = {}
    n_entries = 0
    for number, part in table.items():
        if number.isdecimal():
            n_entries += _n_entries(part)
            check_entries(n_entries)  # all parts may be the same one
            found.update(_direct(_entries(part), f"{number}."))
    return found


def _of_module(root: object) -> dict[str, Stored]:
    """A pickled module's state dict, in PyTorch's order: own parameters and buffers, then each child's."""
    found: dict[str, Stored] = {}
    todo, n_entries = [("", root)], 0
    while todo:
        prefix, module = todo.pop()
        attributes = _attributes(module)
        hidden = attributes.get("_non_persistent_buffers_set")
        n_entries += 1 + sum(_n_entries(attributes.get(name)) for name in HOLDERS)
        n_entries += len(hidden) if isinstance(hidden, list) else 0
        check_entries(n_entries)  # modules may contain themselves
        skipped = {name for name in hidden if type(name) is str} if isinstance(hidden, list) else set()
        buffers = _entries(attributes.get("_buffers"))
        found |= _direct(_entries(attributes.get("_parameters")), prefix)
        found |= _direct({name: node for name, node in buffers.items() if name not in skipped}, prefix)
        children = [
            (_joined(prefix, f"{name}."), child)
            for name, child in _entries(attributes.get("_modules")).items()
            if _attributes(child).keys() >= {"_parameters", "_modules"}
        ]
        todo.extend(reversed(children))
    return found


def _attributes(node: object) -> dict[str, Any]:
    """An object's attributes; with __slots__ the state is a pair."""
    state = node.state if isinstance(node, Stub) else None
    state = state[0] if isinstance(state, tuple) and state else state
    return state if isinstance(state, Table) else {}


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
