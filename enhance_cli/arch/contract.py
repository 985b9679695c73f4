"""What the engine must know of a network: its quirks, as data.  No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from enhance_cli.tasks import TASKS, ConditionKind, Task

if TYPE_CHECKING:
    from torch import nn

Colour = Literal["y", "gray", "rgb"]
Condition = ConditionKind
Tiling = Literal["exact", "approximate", "whole"]


@dataclass(frozen=True, kw_only=True)
class ArchSpec:
    """How one configured network wants to be fed.

    The network is called as `net(x)`, or `net(x, condition)` where `condition` is set:
    x is (N, C, H, W) float32 in 0..value_range, C = 3 (RGB) for colour "rgb" and 1 otherwise.
    """

    colour: Colour
    """"rgb": three channels; "y": luma, while chroma goes a plain way; "gray": one channel, colour pictures
    plane by plane."""
    scale: int = 1
    """Output size over the size of the picture given by the user."""
    pre_upsampled: bool = False
    """The network wants its input enlarged (bicubic, kept in float) to the output size beforehand.
    It then serves any scale, `scale` is 1, and `halo` and `multiple` count enlarged pixels."""
    value_range: float = 1.0
    """Largest value of input and output: 1 or 255."""
    multiple: int = 1
    """Input height and width must be multiples of this; the engine pads and crops."""
    minimum: int = 1
    """Smallest input height and width."""
    margin: int = 0
    """Mirrored pixels to lay around the whole picture and cut off again, a multiple of `multiple`: for
    networks that let the zeros beyond the border show.  0 for published ones, which were measured so."""
    halo: int
    """Receptive radius in input pixels: how far an output pixel sees."""
    tiling: Tiling = "exact"
    """"exact": tiles with the full halo give the whole picture's result; "approximate": something
    averages over the whole map; "whole": never tiled."""
    tile: int | None = None
    """Side of the tiles, in input pixels, that are taken unasked, for networks whose memory grows with the
    square of the area; None: by the memory that feature maps take."""
    condition: Condition | None = None
    """Second argument, (N, 1, 1, 1) float32: noise sigma / 255, or JPEG quality / 100."""
    output: int | None = None
    """Which of several outputs is the result; None for networks with one output."""
    half: tuple[Literal["bfloat16", "float16"], ...] = ("bfloat16", "float16")
    """Reduced precisions in which the network is known to be harmless."""

    def for_task(self, task: Task) -> ArchSpec:
        """The spec when the network does that task.

        One channel of a colour picture is its luma where JPEG or a missing resolution is to be mended, as in
        all papers; and a network that keeps the size enlarges what was enlarged before (DnCNN-3).
        """
        does = TASKS[task]
        if self.colour != "gray" or not does.luma:
            return self
        return replace(self, colour="y", pre_upsampled=does.enlarges and self.scale == 1)


@dataclass(frozen=True)
class Architecture:
    """One registry entry: the module class and the function that tells its spec.

    Both take the same plain keyword parameters, those stored with the weights.
    """

    build: Callable[..., nn.Module]
    spec: Callable[..., ArchSpec]


Parameters = dict[str, Any]
"""Keyword parameters of a network, JSON-serialisable, as stored with its weights."""
