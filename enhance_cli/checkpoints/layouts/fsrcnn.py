"""FSRCNN as FSRCNN-pytorch (yjn870) names it."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, count, n_colours, shape
from enhance_cli.errors import ModelError

SCALES = (2, 3, 4)
"""What the paper has networks for."""


def yjn870(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """A 9x9 deconvolution at the end; its stride, the scale, is no tensor's shape."""
    marks = {"first_part.0.weight", "first_part.1.weight", "mid_part.0.weight", "last_part.weight"}
    if not marks <= set(tensors):
        return None
    scale, notes = _scale(wanted)
    # A convolution and its PReLU count each; shrinking and expanding are no mappings.
    n_mappings = count(tensors, "mid_part.{}.weight") // 2 - 2
    return Recognised(
        title="FSRCNN (FSRCNN-pytorch keys)",
        arch="fsrcnn",
        parameters={
            "scale": scale,
            "n_colours": n_colours(tensors, "first_part.0.weight"),
            "n_feats": shape(tensors, "first_part.0.weight")[0],
            "n_shrunk": shape(tensors, "mid_part.0.weight")[0],
            "n_mappings": n_mappings,
        },
        tensors=dict(tensors),
        tasks=("sr",),
        options=("scale",),
        notes=notes,
    )


def _scale(wanted: Wanted) -> tuple[int, tuple[str, ...]]:
    """What the file was trained for, as told or as asked for."""
    if "scale" in wanted.options:
        told = wanted.number("scale", SCALES[0])
        if told not in SCALES:
            raise ModelError(f"--arch-option scale={told:g} is no scale of FSRCNN; those it has: 2, 3, 4")
        return int(told), ()
    for scale in SCALES:
        if scale == wanted.scale:
            return scale, ("scale assumed to be the one asked for; --arch-option scale=N says otherwise",)
    raise ModelError(
        "an FSRCNN file does not tell its scale; say --arch-option scale=2, 3 or 4, as it was trained"
    )


LAYOUTS = (yjn870,)
