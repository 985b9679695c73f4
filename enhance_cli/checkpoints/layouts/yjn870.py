"""The names of yjn870's repositories: ARCNN, ESPCN, FSRCNN and SRCNN."""

from __future__ import annotations

from math import isqrt

from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    chosen_scale,
    count,
    has,
    n_colours,
    shape,
)
from enhance_cli.checkpoints.wanted import Wanted

SCALES = (2, 3, 4)
"""What FSRCNN's paper has networks for."""
SRCNN_LAYERS = ("conv1", "conv2", "conv3")


def arcnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Three layers and the last one, or four where it is the fast network."""
    if not has(tensors, *(f"base.{i}.weight" for i in range(6)), "last.weight"):
        return None
    fast = "base.6.weight" in tensors
    parameters = {"n_colours": n_colours(tensors, "base.0.weight"), "fast": fast}
    title = f"{'Fast ' if fast else ''}AR-CNN (ARCNN-pytorch keys)"
    return Recognised(title, "arcnn", parameters, dict(tensors), tasks=("dejpeg",))


def espcn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Two convolutions at the small size and one before the shuffle, whose channels tell the scale."""
    if not has(tensors, "first_part.0.weight", "first_part.2.weight", "last_part.0.weight"):
        return None
    colours = n_colours(tensors, "first_part.0.weight")
    parameters = {
        "scale": isqrt(shape(tensors, "last_part.0.weight")[0] // colours),
        "n_colours": colours,
        "n_feats": [shape(tensors, f"first_part.{i}.weight")[0] for i in (0, 2)],
    }
    return Recognised("ESPCN (ESPCN-pytorch keys)", "espcn", parameters, dict(tensors))


def fsrcnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """A 9x9 deconvolution at the end; its stride, the scale, is no tensor's shape."""
    if not has(
        tensors, "first_part.0.weight", "first_part.1.weight", "mid_part.0.weight", "last_part.weight"
    ):
        return None
    scale, notes = chosen_scale(wanted, SCALES, "FSRCNN")
    # A convolution and its PReLU count each; shrinking and expanding are no mappings.
    n_mappings = count(tensors, "mid_part.{}.weight") // 2 - 2
    parameters = {
        "scale": scale,
        "n_colours": n_colours(tensors, "first_part.0.weight"),
        "n_feats": shape(tensors, "first_part.0.weight")[0],
        "n_shrunk": shape(tensors, "mid_part.0.weight")[0],
        "n_mappings": n_mappings,
    }
    return Recognised(
        "FSRCNN (FSRCNN-pytorch keys)",
        "fsrcnn",
        parameters,
        dict(tensors),
        options=("scale",),
        notes=notes,
    )


def srcnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Three convolutions and nothing else; a file was trained for one scale and does not say which."""
    if set(tensors) != {f"{layer}.{kind}" for layer in SRCNN_LAYERS for kind in ("weight", "bias")}:
        return None
    shapes = [shape(tensors, f"{layer}.weight") for layer in SRCNN_LAYERS]
    parameters = {
        "n_colours": n_colours(tensors, "conv1.weight"),
        "kernels": [size for *_, size in shapes],
        "n_feats": [n_out for n_out, *_ in shapes[:2]],
    }
    return Recognised("SRCNN (SRCNN-pytorch keys)", "srcnn", parameters, dict(tensors))


LAYOUTS = (arcnn, espcn, fsrcnn, srcnn)
