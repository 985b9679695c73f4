"""The names that a pickled checkpoint may mention.

Nothing on the list is ever imported or called either (see `pickles`), so it is no gate against code. It is
there so that a file which tries to run something is named as such, and not quietly half understood.
"""

from __future__ import annotations

from itertools import product

DTYPES = (
    "float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 bool "
    "half float double short int long complex64 complex128"
)
TYPES = "Float Double Half BFloat16 Char Short Int Long Byte Bool"
BUILTINS = "dict list set frozenset tuple str int float bool complex bytearray slice range object"
STORAGES = " ".join(f"{kind}Storage" for kind in (*TYPES.split(), "Untyped"))
TENSORS = " ".join(f"{kind}Tensor" for kind in TYPES.split())
REBUILD = "_rebuild_tensor"
NUMPY = "scalar _reconstruct"

NAMES = {
    "collections": "OrderedDict defaultdict Counter",
    "builtins": BUILTINS,
    "__builtin__": BUILTINS,
    "_codecs": "encode",
    "copyreg": "_reconstructor",
    "copy_reg": "_reconstructor",
    "torch": f"Size device Tensor {DTYPES} {STORAGES} {TENSORS}",
    "torch.cuda": f"{STORAGES} {TENSORS}",
    "torch.storage": "UntypedStorage",
    "torch._utils": f"{REBUILD} {REBUILD}_v2 {REBUILD}_v3 _rebuild_parameter _rebuild_parameter_with_state",
    "torch._tensor": "_rebuild_from_type_v2",
    "torch.autograd.variable": "Variable",
    "numpy": "dtype ndarray",
    "numpy.core.multiarray": NUMPY,
    "numpy._core.multiarray": NUMPY,
    "argparse": "Namespace",
    "pathlib": "PosixPath WindowsPath",
}
"""Module -> names: what state dicts, and the settings that trainings put beside them, are made of."""

MODELS = {
    "vdsr": "Net Conv_ReLU_Block",  # twtygqyy/pytorch-vdsr
    "srresnet": "_NetG _NetD _Residual_Block",  # twtygqyy/pytorch-SRResNet
    "__main__": "DnCNN",  # cszn/DnCNN, saved by its own training script
    "models": "DnCNN",  # SaoYan/DnCNN-PyTorch
}
"""Module -> classes of whole pickled networks, as their repositories call them."""

TREES = ("torch.nn", "torch.optim")
"""Everything below: the parts of pickled networks, and what trains them."""

_ALLOWED = frozenset(
    pair
    for table in (NAMES, MODELS)
    for module, names in table.items()
    for pair in product([module], names.split())
)


def is_allowed(module: str, name: str) -> bool:
    """Whether a checkpoint has a reason to mention this name."""
    inside = any(module == tree or module.startswith(f"{tree}.") for tree in TREES)
    return (module, name) in _ALLOWED or (inside and name.isidentifier())
