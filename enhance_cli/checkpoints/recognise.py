"""Which of our networks a foreign checkpoint holds, and which of its tensors are that one's."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from torch import Tensor

from enhance_cli.checkpoints.build import BATCH_COUNTER, built, check_shapes, check_types
from enhance_cli.checkpoints.layouts import LAYOUTS
from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors
from enhance_cli.checkpoints.limits import shown
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

DAMAGE = (LookupError, ValueError, ArithmeticError, AttributeError, RuntimeError, TypeError)
"""What layouts raise for shapes and values that are not as they should be."""
COMPILED = "_orig_mod."
"""What torch.compile puts before the keys of whatever it compiled."""
PARALLEL = "module."
"""What DataParallel and averaged models put before every key."""
COUNTERS = ("n_averaged", "step_counter", "initted", "step", "global_step", "num_updates", "decay")
"""Single numbers that trainings count in and store beside the weights."""
PREFIX = "prefix"
"""The option that says which network of a file with several is meant."""
MAX_PREFIXES = 3
"""Words before a network's own keys: "model.generator.net."."""
MAX_NETWORKS = 64
"""Beginnings that are tried; files of trainings have a few."""
SHOWN = 3
"""Keys that are quoted when nothing knows them."""


def recognise(tensors: Tensors, wanted: Wanted | None = None) -> Recognised:
    """The first layout that knows the keys, all of them or those under one prefix.

    ModelError if none does, if several networks are there, or if the file leaves something open.  What shapes
    claim of a file that is one network is not checked here: the strict load afterwards does.
    """
    wanted = wanted or Wanted()
    options = dict(wanted.options)
    prefix = options.pop(PREFIX, None)
    wanted = replace(wanted, options=options)
    plain = _plain(tensors)
    counters = tuple(key for key in tensors if _is_counter(key, tensors))
    found = _known(plain, wanted) if prefix is None else None
    if found is None:
        found = _beside_others(plain, wanted, prefix)
    return replace(found, dropped=(*found.dropped, *counters))


def _is_counter(key: str, tensors: Tensors) -> bool:
    """Whether a tensor is a single number that no network computes with."""
    one, name = tensors[key], key.rpartition(".")[2]
    if name == BATCH_COUNTER or one.numel() != 1:
        return False
    return name in COUNTERS or (one.ndim == 0 and not one.is_floating_point() and not one.is_complex())


def _plain(tensors: Tensors) -> Tensors:
    """The weights without counters, and without what PyTorch itself puts before keys."""
    kept = {key: one for key, one in tensors.items() if not _is_counter(key, tensors)}
    kept = {f".{key}".replace(f".{COMPILED}", ".")[1:]: one for key, one in kept.items()}
    while kept and all(key.startswith(PARALLEL) for key in kept):
        kept = {key.removeprefix(PARALLEL): one for key, one in kept.items()}
    return kept


def _known(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """What the first layout that knows all keys says, if it can do what is wanted."""
    for layout in LAYOUTS:
        try:
            found = layout(tensors, wanted)
        except DAMAGE as error:
            check_types(tensors)  # says better what is wrong
            reason = shown(f"{type(error).__name__}: {error}")
            raise ModelError(f"its keys are like {layout.__name__}'s but do not add up ({reason})") from error
        if found is not None:
            check_types(tensors)
            for name in wanted.options:
                if name not in found.options:
                    known = ", ".join(found.options) or "none"
                    raise ModelError(f"{found.title} has no --arch-option {name}; those it has: {known}")
            if wanted.task is not None and wanted.task not in found.tasks:
                raise ModelError(f"{found.title} is for {' and '.join(found.tasks)}, not for {wanted.task}")
            return found
    return None


def _beside_others(tensors: Tensors, wanted: Wanted, prefix: str | None) -> Recognised:
    """The network under the prefix asked for, the only one, or the averaged one; the rest is dropped."""
    found = _under_prefixes(tensors, wanted)
    averaged = [name for name in found if "ema" in name.replace(".", "_").split("_")]
    listed = shown(", ".join(f"{name!r}" for name in found))
    if prefix is not None:
        names = [name for name in found if name == prefix.rstrip(".")]
    else:
        names = averaged if len(averaged) == 1 else list(found)
    if not found and prefix is None:
        some = ", ".join(list(tensors)[:SHOWN])
        raise ModelError(f"its {len(tensors)} keys ({some}, ...) are of no network known here")
    if len(names) != 1:
        problem = "holds several networks" if prefix is None else f"has no network under {prefix!r}"
        raise ModelError(
            f"{problem}; those known are under {listed or 'none'}: say which with --arch-option {PREFIX}=NAME"
        )
    (name,) = names
    taken = f"the network under {name!r} taken"
    note = taken if len(found) == 1 else f"{taken} of {listed}; --arch-option {PREFIX}=NAME says otherwise"
    group, one = found[name]
    its = {id(tensor) for tensor in group.values()}
    rest = tuple(key for key, tensor in tensors.items() if id(tensor) not in its)
    notes = (*one.notes, note) if rest else one.notes
    return replace(one, notes=notes, dropped=(*one.dropped, *rest))


def _under_prefixes(tensors: Tensors, wanted: Wanted) -> dict[str, tuple[Tensors, Recognised]]:
    """Networks and their tensors by the words before them; ModelError if none of those there can be used."""
    groups: dict[str, Tensors] = {"": tensors}
    for _ in range(MAX_PREFIXES):
        inner: dict[str, dict[str, Tensor]] = {}
        for name, group in groups.items():
            for key, one in group.items():
                first, dot, rest = key.partition(".")
                if dot:
                    inner.setdefault(f"{name}.{first}".lstrip("."), {})[rest] = one
        groups = {name: _plain(group) for name, group in islice(inner.items(), MAX_NETWORKS)}
        found, problem = {}, None
        for name, group in groups.items():
            try:
                known = _known(group, wanted)
            except ModelError as error:
                problem = problem or error
                continue
            if known is None:
                continue
            try:
                # Those of a whole network? A part of another one's may look like a small one.
                check_shapes(built(known)[0], known.tensors)
            except ModelError:
                continue
            found[name] = group, known
        if found:
            return found
        if problem is not None:
            raise problem
    return {}
