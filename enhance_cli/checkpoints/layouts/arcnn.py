"""AR-CNN and Fast AR-CNN as ARCNN-pytorch (yjn870) names them."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, n_colours


def yjn870(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Three layers and the last one, or four where it is the fast network."""
    if not {*(f"base.{i}.weight" for i in range(6)), "last.weight"} <= set(tensors):
        return None
    fast = "base.6.weight" in tensors
    return Recognised(
        title=f"{'Fast ' if fast else ''}AR-CNN (ARCNN-pytorch keys)",
        arch="arcnn",
        parameters={"n_colours": n_colours(tensors, "base.0.weight"), "fast": fast},
        tensors=dict(tensors),
        tasks=("dejpeg",),
    )


LAYOUTS = (yjn870,)
