"""Pickles read with stand-ins: nothing that a file names is imported or called.

This is the standard library's unpickler in Python, with something of ours behind every name: `Table` for
dicts, `Stored` for tensors, `Storage` for their numbers and `Stub` for all else.
torch.load(weights_only=True) does not serve, as measured with PyTorch 2.13:

* a key of 200,000 tuples inside each other ends the process, since keys are hashed;
* a tensor that reaches beyond its storage gets memory that nobody wrote, in files from before 1.6;
* it refuses pickled networks and protocol 4, and other names with every version of PyTorch.

The unpickler in C has the first fault too, and reserves memory for whatever memo index a file names.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from struct import error as StructError
from typing import Any

import torch

from enhance_cli.checkpoints.limits import MAX_DIMS, MAX_KEY, MAX_PICKLE, shown
from enhance_cli.errors import ModelError

DAMAGE = (Warning, EOFError, AttributeError, LookupError, OverflowError, TypeError, ValueError, StructError)
"""What comes, beside its own error, of bytes that are no pickle; wrong escapes warn."""
MAX_ARGUMENTS = 16
"""Of one call. Those of tensors are 7 at most."""
Unpickler: Any = pickle._Unpickler


class Table(dict[str, Any]):
    """A dict of any class. Only text names a weight; other keys (an optimizer's) are left out, unhashed."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: object = None, *_: object) -> None:
        super().__init__()
        # [key, value] each, as Python 2 gives an OrderedDict's. Not copied: a file may share one list.
        self.pairs = pairs if isinstance(pairs, list) else []

    def __setitem__(self, key: object, value: object) -> None:
        if type(key) is str:
            super().__setitem__(key, value)


class Members(list[Any]):
    """A set, whose members are not hashed either."""

    __slots__ = ()
    add = list.append


class Stub:
    """An object of any other class, of which only the state is kept: the attributes of most objects."""

    __slots__ = ("state",)

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def ignore(self, *_: object) -> None:
        """Lists and dicts of other classes are given their entries one by one."""

    append = extend = add = __setitem__ = ignore


@dataclass(frozen=True, slots=True)
class Storage:
    """Numbers that lie outside the pickle, under a key."""

    dtype: torch.dtype
    key: str
    numel: int
    start: int
    """A view (before PyTorch 0.4) begins at this element; 0 otherwise."""
    size: int
    """Elements in the view; numel otherwise."""

    @property
    def n_bytes(self) -> int:
        """Of the whole storage."""
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as the file describes it; strides and offset count elements."""

    storage: Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def read_pickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """One pickle's object, and the storages it mentions by key; the stream is left behind it.

    The object is None, a number, text, bytes, list, tuple or one of the classes above, and may contain
    itself.  ModelError if the pickle is damaged or names what weights do not need.
    """
    reader = _Reader(stream, encoding="latin1")
    try:
        return reader.load(), reader.storages
    except (pickle.UnpicklingError, *DAMAGE) as error:
        if stream.tell() >= MAX_PICKLE:
            raise ModelError("holds a pickle longer than any network's; it is damaged or hostile") from error
        raise ModelError(
            f"its pickle is cut off or damaged near byte {stream.tell()} ({shown(error)}); download it again"
        ) from error


class _Reader(Unpickler):
    """Everything that can be called while it runs is a stand-in, so that calls may be made."""

    def __init__(self, stream: io.BytesIO, **options: str) -> None:
        super().__init__(stream, **options)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if len(module) + len(name) <= MAX_KEY:
            path = f"{module}.{name}"
            if path in STAND_INS:
                return STAND_INS[path]
            if path.startswith(TREES) and name.isidentifier():
                return Stub
        raise ModelError(
            f"holds a call to {shown(module[:MAX_KEY])}.{shown(name[:MAX_KEY])}; refused, nothing of it was "
            "run; give the plain state_dict of the network, or safetensors"
        )

    def persistent_load(self, identity: Any) -> Any:
        """What lies outside: a storage, or a class given with its source text, which is never read."""
        match identity if isinstance(identity, tuple) and len(identity) <= MAX_ARGUMENTS else None:
            case ("module", found, *_):
                return found
            case ("storage", torch.dtype() as dtype, str(key), _, numel, *view) if view in ([], [None]):
                storage = Storage(dtype, key, numel, 0, numel)
            case ("storage", torch.dtype() as dtype, str(key), _, numel, (_, start, size)):
                storage = Storage(dtype, key, numel, start, size)
            case _:
                raise ValueError("persistent id")
        known = self.storages.setdefault(storage.key, storage)
        counts = (storage.numel, storage.start, storage.size)
        if not _are_counts(counts) or storage.start + storage.size > storage.numel:
            raise ValueError("size of a storage")
        if (known.dtype, known.numel) != (storage.dtype, storage.numel):
            raise ValueError("two sizes of one storage")
        return storage

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        if not isinstance(arguments, tuple) or len(arguments) > MAX_ARGUMENTS:
            raise TypeError("arguments")
        self.stack[-1] = self.stack[-1](*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Stub):
            self.stack[-1].state = state
        elif not isinstance(self.stack[-1], Table | Stored):
            raise TypeError("state of no object")

    def load_frozenset(self) -> None:
        members = self.pop_mark()
        self.append(Members(members))

    # Left out are instructions that PyTorch never writes: of older protocols, objects registered in this
    # process, and buffers that would be filled with as many zeros as the file says.
    dispatch = {
        code: step
        for code, step in Unpickler.dispatch.items()
        if code not in pickle.INST + pickle.OBJ + pickle.DICT + pickle.PERSID + pickle.NEWOBJ_EX
        and code not in pickle.EXT1 + pickle.EXT2 + pickle.EXT4 + pickle.BYTEARRAY8
    } | {
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.EMPTY_DICT[0]: lambda self: self.append(Table()),
        pickle.EMPTY_SET[0]: lambda self: self.append(Members()),
        pickle.FROZENSET[0]: load_frozenset,
    }


def _are_counts(values: Any) -> bool:
    """Whether these are a few non-negative ints that fit 64 bits."""
    few = isinstance(values, tuple | list) and len(values) <= MAX_DIMS
    return few and all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: object, dtype: Any = None) -> Stored:
    if not isinstance(storage, Storage):
        raise ModelError("holds a tensor without a storage; it is damaged or hostile")
    counts = _are_counts((offset,)) and _are_counts(shape) and _are_counts(stride)
    if not counts or len(shape) != len(stride):
        raise ModelError("holds a tensor of impossible shape, stride or offset; it is damaged or hostile")
    return Stored(storage, dtype or storage.dtype, offset, tuple(shape), tuple(stride))


def _tensor_of_type(*arguments: Any) -> Stored:
    *rest, dtype = arguments[:7]
    if not isinstance(dtype, torch.dtype):
        raise ModelError("holds numbers of an unknown type; save the weights as float32 instead")
    return _tensor(*rest, dtype=dtype)


def _with_attributes(make: Any, cls: object, arguments: Any, state: object) -> Stored:
    if make is not _tensor and make is not _tensor_of_type:
        raise ValueError("a tensor of another kind")
    return make(*arguments)


def _parameter(data: object = None, *_: object) -> Stored | Stub:
    return data if isinstance(data, Stored) else Stub()


def _same(given: object = ()) -> object:
    """A shape, or a set of protocol 2. Not copied either."""
    return given


DTYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Char": torch.int8,
    "Short": torch.int16,
    "Int": torch.int32,
    "Long": torch.int64,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "Untyped": torch.uint8,
}
"""Type of the numbers by the name of their storage's class."""
TREES = ("torch.nn.", "torch.optim.")
"""Everything below: the parts of pickled networks, and what trains them."""
BUILTINS = "tuple str int float bool complex bytearray slice range object"
NAMES: dict[Any, dict[str, str]] = {
    Table: {
        "collections": "OrderedDict defaultdict Counter",
        "builtins": "dict",
        "__builtin__": "dict",
    },
    Stub: {
        "argparse": "Namespace",
        "pathlib": "PosixPath WindowsPath",
        "builtins": BUILTINS,
        "__builtin__": BUILTINS,
        "_codecs": "encode",
        "copyreg": "_reconstructor",
        "copy_reg": "_reconstructor",
        "numpy": "dtype ndarray",
        "numpy.core.multiarray": "scalar _reconstruct",
        "numpy._core.multiarray": "scalar _reconstruct",
        "torch": "device Tensor half float double short int long complex64 complex128",
        "vdsr": "Net Conv_ReLU_Block",  # twtygqyy/pytorch-vdsr
        "srresnet": "_NetG _NetD _Residual_Block",  # twtygqyy/pytorch-SRResNet
        "__main__": "DnCNN",  # cszn/DnCNN, saved by its own training script
        "models": "DnCNN",  # SaoYan/DnCNN-PyTorch
    },
    _same: {"torch": "Size", "builtins": "list set frozenset", "__builtin__": "list set frozenset"},
    _tensor: {"torch._utils": "_rebuild_tensor _rebuild_tensor_v2"},
    _tensor_of_type: {"torch._utils": "_rebuild_tensor_v3"},
    _with_attributes: {"torch._tensor": "_rebuild_from_type_v2"},
    _parameter: {
        "torch._utils": "_rebuild_parameter _rebuild_parameter_with_state",
        "torch.nn.parameter": "Parameter",
        "torch.autograd.variable": "Variable",
    },
}
"""Stand-in -> module -> names that it is put behind: those that weights and whole pickled networks need, and
the settings that trainings put beside them.  As nothing is called, the list is no gate against code; it lets
a file that tries to run something be named."""
STAND_INS: dict[str, Any] = {
    **{str(dtype): dtype for dtype in DTYPES.values()},
    **{f"torch.{gpu}{kind}Storage": dtype for kind, dtype in DTYPES.items() for gpu in ("", "cuda.")},
    **{f"torch.{gpu}{kind}Tensor": Stub for kind in DTYPES for gpu in ("", "cuda.")},
    "torch.storage.UntypedStorage": torch.uint8,
    **{
        f"{module}.{name}": stand_in
        for stand_in, modules in NAMES.items()
        for module, names in modules.items()
        for name in names.split()
    },
}
