"""From a pickle's inert tree to tensors: wrappers undone, modules walked, every size checked before use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from enhance_cli.checkpoints.limits import MAX_DIMS, MAX_KEY, check_elements, check_entries, shown
from enhance_cli.checkpoints.pickles import Global, Made, Node, Storage, is_count
from enhance_cli.errors import ModelError

WRAPPERS = (
    "params_ema",
    "params",
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "netG",
    "generator",
    "ema",
)
"""Keys under which trainings put the weights beside other things; the first that holds some is taken."""
MAX_WRAPPERS = 2
"""Wrappers inside each other: {"model": {"state_dict": ...}}."""

SHOWN_KEYS = 5
"""Keys that are quoted where no weights are found."""

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ByteStorage": torch.uint8,
    "UntypedStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
DTYPES = {str(dtype): dtype for dtype in STORAGES.values()}

DICTS = ("collections.OrderedDict", "collections.defaultdict", "builtins.dict", "__builtin__.dict")
TENSORS = ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2")
TENSOR_OF_TYPE = "torch._utils._rebuild_tensor_v3"
WITH_ATTRIBUTES = "torch._tensor._rebuild_from_type_v2"
AROUND_TENSOR = (
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
    "torch.autograd.variable.Variable",
)

HOLDERS = ("_parameters", "_buffers", "_non_persistent_buffers_set", "_modules")
"""Attributes of a module that its state dict is made from."""

AROUND = 4
"""Calls around a tensor that are undone; PyTorch writes two at most."""

Read = Callable[[Storage, int], bytearray]
"""A storage's bytes, as many as asked for or more; ModelError if the file has not got them."""


@dataclass(frozen=True)
class Stored:
    """A tensor as the file describes it; strides and offset count elements."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def n_elements(self) -> int:
        """Numbers in it; an empty axis counts as one, so that the other axes stay bounded."""
        return prod(max(n, 1) for n in self.shape)

    def fits(self) -> bool:
        """Whether its last element lies within the storage."""
        n_bytes = self.storage.size * item_size(self.storage)
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        return 0 in self.shape or (last + 1) * self.dtype.itemsize <= n_bytes


def find_tensors(root: Node) -> dict[str, Stored]:
    """The weights in a checkpoint's tree, by name; ModelError if there are none."""
    found = _unwrapped(root, MAX_WRAPPERS)
    if found:
        return found
    keys = ", ".join(shown(key) for key in list(_entries(root))[:SHOWN_KEYS]) or "none"
    raise ModelError(f"holds no weights (its keys: {keys}); give the network's state_dict")


def load_tensors(found: dict[str, Stored], read: Read, file_size: int) -> dict[str, Tensor]:
    """Read the tensors, contiguous; nothing is allocated before all of them are known to fit."""
    check_entries(len(found))
    check_elements(sum(stored.n_elements for stored in found.values()), file_size)
    for key, stored in found.items():
        if not stored.fits():
            raise ModelError(f"weight {shown(key)} reaches beyond its storage; it is damaged or hostile")
    contents: dict[str, bytearray] = {}
    tensors = {}
    for key, stored in found.items():
        storage = stored.storage
        if storage.key not in contents:
            contents[storage.key] = read(storage, storage.numel * item_size(storage))
        tensors[key] = _tensor(stored, contents[storage.key])
    return tensors


def item_size(storage: Storage) -> int:
    """Bytes of one element; ModelError for a type that no network here has."""
    return _dtype(storage).itemsize


def _dtype(storage: Storage) -> torch.dtype:
    if storage.kind not in STORAGES:
        raise ModelError(f"holds numbers of type {shown(storage.kind)}; save the weights as float32 instead")
    return STORAGES[storage.kind]


def _named(dtype: Node) -> torch.dtype:
    name = dtype.path if isinstance(dtype, Global) else "unknown"
    if name not in DTYPES:
        raise ModelError(f"holds numbers of type {shown(name)}; save the weights as float32 instead")
    return DTYPES[name]


def _tensor(stored: Stored, content: bytearray) -> Tensor:
    if 0 in stored.shape:
        return torch.empty(stored.shape, dtype=stored.dtype)
    skipped = stored.storage.start * item_size(stored.storage)
    count = stored.storage.size * item_size(stored.storage) // stored.dtype.itemsize
    flat = torch.frombuffer(content, dtype=stored.dtype, count=count, offset=skipped)
    return flat.as_strided(stored.shape, stored.stride, stored.offset).contiguous()


def _unwrapped(node: Node, wrappers: int) -> dict[str, Stored]:
    if _is_module(node):
        return _of_module(node)
    table = _entries(node)
    if wrappers:
        for name in WRAPPERS:
            found = _unwrapped(table.get(name), wrappers - 1)
            if found:
                return found
    return _direct(table) or _numbered(table)


def _direct(table: dict[str, Node], prefix: str = "") -> dict[str, Stored]:
    """The entries that are tensors."""
    return {_joined(prefix, key): stored for key, node in table.items() if (stored := _stored(node))}


def _numbered(table: dict[str, Node]) -> dict[str, Stored]:
    """Several state dicts "0", "1", ... in one file (KAIR's IRCNN), as "0.model.0.weight"."""
    found: dict[str, Stored] = {}
    n_entries = 0
    for number, part in table.items():
        if number.isdecimal():
            n_entries += _size(part)
            check_entries(n_entries)  # all parts may be the same one
            found.update(_direct(_entries(part), f"{number}."))
    return found


def _of_module(root: Made) -> dict[str, Stored]:
    """A pickled module's state dict, in PyTorch's order: own parameters and buffers, then each child's."""
    found: dict[str, Stored] = {}
    todo, n_entries = [("", root)], 0
    while todo:
        prefix, module = todo.pop()
        attributes = _attributes(module)
        n_entries += 1 + sum(_size(attributes.get(name)) for name in HOLDERS)
        check_entries(n_entries)  # modules may contain themselves
        parameters, buffers = _entries(attributes["_parameters"]), _entries(attributes.get("_buffers"))
        hidden = _members(attributes.get("_non_persistent_buffers_set"))
        children = _entries(attributes["_modules"])
        found |= _direct(parameters, prefix)
        found |= _direct({name: node for name, node in buffers.items() if name not in hidden}, prefix)
        inner = [(f"{prefix}{name}", child) for name, child in children.items() if _is_module(child)]
        todo.extend((_joined(name, "."), child) for name, child in reversed(inner))
    return found


def _members(node: Node) -> frozenset[str]:
    """The words in a set, which protocol 2 writes as a call with a list; nothing if it is none."""
    if isinstance(node, Made):
        node = node.args[0] if node.args else None
    return (
        frozenset(name for name in node if isinstance(name, str)) if isinstance(node, list) else frozenset()
    )


def _is_module(node: Node) -> bool:
    attributes = _attributes(node) if isinstance(node, Made) else {}
    return "_parameters" in attributes and "_modules" in attributes


def _attributes(node: Made) -> dict[str, Node]:
    """An object's attributes; with __slots__ the state is a pair."""
    state = node.state[0] if isinstance(node.state, tuple) and node.state else node.state
    return state if isinstance(state, dict) else {}


def _size(node: Node) -> int:
    """How many entries there are to visit in a dict or set, whatever they are; at least 1."""
    if isinstance(node, Made):
        return max(1, len(node.items)) + sum(len(part) for part in node.args[:1] if isinstance(part, list))
    return max(1, len(node)) if isinstance(node, dict | list) else 1


def _entries(node: Node) -> dict[str, Node]:
    """What is in a dict of any kind; nothing if it is none."""
    if isinstance(node, dict):
        check_entries(_size(node))
        return node
    if not isinstance(node, Made) or node.maker.path not in DICTS:
        return {}
    check_entries(_size(node))
    first = node.args[0] if node.args else None
    # Python 2 gives an OrderedDict's entries as a list of [key, value].
    pairs = [pair for pair in first if isinstance(pair, list | tuple)] if isinstance(first, list) else []
    given = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and isinstance(pair[0], str)}
    return {**given, **node.items}


def _stored(node: Node) -> Stored | None:
    """The tensor that a node stands for, parameters and attributes around it removed; None if it is none."""
    for _ in range(AROUND):
        if not isinstance(node, Made):
            return None
        path, args = node.maker.path, node.args
        if path in TENSORS:
            return _described(args, None)
        if path == TENSOR_OF_TYPE:
            return _described(args, args[6] if len(args) > 6 else None)
        if path == WITH_ATTRIBUTES and len(args) == 4 and isinstance(args[0], Global):
            node = Made(args[0], args[2] if isinstance(args[2], tuple) else ())
        elif path in AROUND_TENSOR and args:
            node = args[0]
        elif path in AROUND_TENSOR and isinstance(node.state, tuple) and node.state:
            node = node.state[0]  # a Variable before PyTorch 0.2
        else:
            return None
    return None


def _described(args: tuple[Node, ...], dtype: Node) -> Stored:
    """The arguments (storage, offset, shape, stride, ...) of a tensor."""
    if len(args) < 4 or not isinstance(args[0], Storage):
        raise ModelError("holds a tensor without a storage; it is damaged or hostile")
    storage, offset = args[0], args[1]
    shape, stride = _counts(args[2]), _counts(args[3])
    if not is_count(offset) or shape is None or stride is None or len(shape) != len(stride):
        raise ModelError("holds a tensor of impossible shape, stride or offset; it is damaged or hostile")
    return Stored(storage, _dtype(storage) if dtype is None else _named(dtype), offset, shape, stride)


def _counts(node: Node) -> tuple[int, ...] | None:
    """A shape or stride: a few non-negative numbers, as a tuple or as torch.Size of one."""
    if isinstance(node, Made) and node.maker.path == "torch.Size" and node.args:
        node = node.args[0]
    if not isinstance(node, tuple | list) or len(node) > MAX_DIMS:
        return None
    return tuple(node) if all(is_count(n) for n in node) else None


def _joined(prefix: str, name: str) -> str:
    """A weight's name; ModelError for one that could not be shown, or that modules inside themselves made."""
    if len(prefix) + len(name) > MAX_KEY or not name.isprintable():
        raise ModelError(f"names a weight {shown(prefix + name[:MAX_KEY])}; it is damaged or hostile")
    return prefix + name
