"""Which of our networks a foreign checkpoint's tensors belong to."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts import LAYOUTS
from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors
from enhance_cli.checkpoints.limits import shown
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

DAMAGE = (LookupError, ValueError, ArithmeticError, AttributeError, RuntimeError, TypeError)
"""What layouts raise for shapes and values that are not as they should be."""
SHOWN = 3
"""Keys that are quoted when nothing knows them."""


def recognise(tensors: Tensors, wanted: Wanted | None = None) -> Recognised:
    """The first layout that knows the keys; ModelError if none does, or if the file leaves something open.

    What shapes claim is not checked here: the strict load afterwards does.
    """
    wanted = wanted or Wanted()
    for layout in LAYOUTS:
        try:
            found = layout(tensors, wanted)
        except DAMAGE as error:
            reason = shown(f"{type(error).__name__}: {error}")
            raise ModelError(f"its keys are like {layout.__name__}'s but do not add up ({reason})") from error
        if found is not None:
            return _checked(found, wanted)
    some = ", ".join(list(tensors)[:SHOWN])
    raise ModelError(f"its {len(tensors)} keys ({some}, ...) are of no network known here")


def _checked(found: Recognised, wanted: Wanted) -> Recognised:
    """The same, if it can do what is wanted."""
    for name in wanted.options:
        if name not in found.options:
            known = ", ".join(found.options) or "none"
            raise ModelError(f"{found.title} has no --arch-option {name}; those it has: {known}")
    if wanted.task is not None and wanted.task not in found.tasks:
        raise ModelError(f"{found.title} is for {' and '.join(found.tasks)}, not for {wanted.task}")
    return found
