"""Pickles read as data: a tree of inert nodes, in which every call that one makes is only written down.

A pickle is a program for a stack machine, and this is that machine without any way to import or call.
`pickletools` of the standard library cuts the bytes into instructions. Why not a reader that exists:

* torch.load(weights_only=True) refuses pickled networks, allocates what a file declares, and its behaviour
  depends on the version of PyTorch;
* pickle.Unpickler has to be given real callables, reserves memory for the memo index a file names (up to 2^32
  entries in one instruction), and runs out of C stack on deeply nested keys.

Nothing here recurses, and nodes are never compared, hashed or printed, so a tree may contain itself.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from enhance_cli.checkpoints.allowed import is_allowed
from enhance_cli.checkpoints.limits import MAX_OPCODES, MAX_PICKLE, shown
from enhance_cli.errors import ModelError

DAMAGE = (ValueError, TypeError, LookupError, OverflowError, Warning)
"""What comes of bytes that are no pickle; `pickletools` warns of wrong escapes where warnings are errors."""

Node = Any
"""None, bool, int, float, str, bytes, list (or set), tuple, dict (str keys only), Global, Made, Storage."""


@dataclass(frozen=True)
class Global:
    """A class or function that the pickle names."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """As Python writes it: "torch._utils._rebuild_tensor_v2"."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False)
class Made:
    """What calling `maker` with `args` would have given."""

    maker: Global
    args: tuple[Node, ...]
    state: Node = None
    """What __setstate__ would have been given; the attributes of most objects."""
    items: dict[str, Node] = field(default_factory=dict)
    """Entries of those that are dicts."""


@dataclass(frozen=True)
class Storage:
    """Numbers that lie outside the pickle, under a name."""

    kind: str
    """Class of the storage, which tells the type: "FloatStorage"."""
    key: str
    numel: int
    start: int
    """A view (before PyTorch 0.4) begins at this element; 0 otherwise."""
    size: int
    """Elements in the view; numel otherwise."""


@dataclass(frozen=True)
class Pickled:
    """One pickle's object, and all storages that it mentions, by key."""

    root: Node
    storages: dict[str, Storage]


def read_pickle(stream: IO[bytes]) -> Pickled:
    """Read one pickle and leave the stream behind it; ModelError if damaged or naming what may not be."""
    machine, position = _Machine(), stream.tell()
    end = position + MAX_PICKLE
    try:
        for count, (opcode, argument, at) in enumerate(pickletools.genops(stream)):
            position = at or 0
            if count >= MAX_OPCODES or position > end:
                raise ModelError("holds a pickle longer than any network's; it is damaged or hostile")
            machine.step(opcode.name, argument)
        return Pickled(machine.stack.pop(), machine.storages)
    except DAMAGE as error:
        raise ModelError(
            f"its pickle is cut off or damaged near byte {position} ({shown(error)}); download it again"
        ) from error


def is_count(value: Node) -> bool:
    """Whether a node is a number of things: a non-negative int that fits 64 bits."""
    return type(value) is int and 0 <= value < 1 << 63


class _Machine:
    """The stack, the marks on it, and the memo."""

    def __init__(self) -> None:
        self.stack: list[Node] = []
        self.marks: list[int] = []
        self.memo: dict[int, Node] = {}
        self.storages: dict[str, Storage] = {}

    def step(self, name: str, argument: Node) -> None:
        if name in PUSH:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in STEPS:
            STEPS[name](self, argument)
        elif name not in IGNORED:
            raise ValueError(f"instruction {name}")

    def since_mark(self) -> list[Node]:
        at = self.marks.pop()
        taken = self.stack[at:]
        del self.stack[at:]
        return taken

    def last(self, n: int) -> tuple[Node, ...]:
        if n > len(self.stack):
            raise ValueError("empty stack")
        taken = tuple(self.stack[-n:])
        del self.stack[-n:]
        return taken

    def mark(self, _: Node) -> None:
        self.marks.append(len(self.stack))

    def pop(self, _: Node) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def put(self, index: int) -> None:
        if not 0 <= index < MAX_OPCODES:
            raise ValueError("memo index")
        self.memo[index] = self.stack[-1]

    def extend(self, values: list[Node]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Made):
            raise TypeError("append to no list")

    def set_items(self, flat: list[Node]) -> None:
        target = self.stack[-1]
        items = target.items if isinstance(target, Made) else target
        if not isinstance(items, dict):
            raise TypeError("entry of no dict")
        items.update(_entries(flat))

    def build(self, _: Node) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Made):
            raise TypeError("state of no object")
        self.stack[-1].state = state

    def name(self, module: Node, name: Node) -> Global:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError("name that is no text")
        if not is_allowed(module, name):
            raise ModelError(
                f"holds a call to {shown(f'{module}.{name}')}; refused, nothing of it was run; "
                "give the plain state_dict of the network, or safetensors"
            )
        return Global(module, name)

    def make(self, maker: Node, args: Node) -> None:
        if not (isinstance(maker, Global) and isinstance(args, tuple)):
            raise TypeError("call of no name")
        self.stack.append(Made(maker, args))

    def make_since_mark(self, _: Node) -> None:
        maker, *args = self.since_mark()
        self.make(maker, tuple(args))

    def persistent(self, _: Node) -> None:
        self.stack.append(self._outside(self.stack.pop()))

    def _outside(self, identity: Node) -> Node:
        """What a persistent id stands for: a storage, or a class given with its source text (never read)."""
        if not isinstance(identity, tuple):
            raise TypeError("persistent id")
        match identity:
            case ("module", Global() as cls, *_):
                return cls
            case ("storage", Global(name=kind), str(key), _, numel):
                storage = Storage(kind, key, numel, 0, numel)
            case ("storage", Global(name=kind), str(key), _, numel, None):
                storage = Storage(kind, key, numel, 0, numel)
            case ("storage", Global(name=kind), str(key), _, numel, (_, start, size)):
                storage = Storage(kind, key, numel, start, size)
            case _:
                raise ValueError("persistent id")
        known = self.storages.setdefault(storage.key, storage)
        counts = (storage.numel, storage.start, storage.size)
        if not all(is_count(count) for count in counts) or storage.start + storage.size > storage.numel:
            raise ValueError("size of a storage")
        if (known.kind, known.numel) != (storage.kind, storage.numel):
            raise ValueError("two sizes of one storage")
        return storage


def _entries(flat: list[Node]) -> dict[str, Node]:
    """Keys and values in turn. Only text names a weight; other keys (an optimizer's) are left out."""
    if len(flat) % 2:
        raise ValueError("key without a value")
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {key: value for key, value in pairs if type(key) is str}


def _global(machine: _Machine, argument: str) -> Global:
    return machine.name(*argument.split(" ", 1))


IGNORED = frozenset({"PROTO", "FRAME", "STOP"})
PUSH = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING"}
    | {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
"""Instructions whose argument is the value."""
CONSTANTS: dict[str, Node] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_SET": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "LIST": lambda m, _: m.stack.append(m.since_mark()),
    "FROZENSET": lambda m, _: m.stack.append(m.since_mark()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.stack.append(m.last(1)),
    "TUPLE2": lambda m, _: m.stack.append(m.last(2)),
    "TUPLE3": lambda m, _: m.stack.append(m.last(3)),
    "DICT": lambda m, _: m.stack.append(_entries(m.since_mark())),
    "APPEND": lambda m, _: m.extend(list(m.last(1))),
    "APPENDS": lambda m, _: m.extend(m.since_mark()),
    "ADDITEMS": lambda m, _: m.extend(m.since_mark()),
    "SETITEM": lambda m, _: m.set_items(list(m.last(2))),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": lambda m, _: m.since_mark().clear(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "GLOBAL": lambda m, argument: m.stack.append(_global(m, argument)),
    "STACK_GLOBAL": lambda m, _: m.stack.append(m.name(*m.last(2))),
    "REDUCE": lambda m, _: m.make(*m.last(2)),
    "NEWOBJ": lambda m, _: m.make(*m.last(2)),
    "NEWOBJ_EX": lambda m, _: m.make(*m.last(3)[:2]),
    "OBJ": _Machine.make_since_mark,
    "INST": lambda m, argument: m.make(_global(m, argument), tuple(m.since_mark())),
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
