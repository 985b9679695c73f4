"""How other people's checkpoints name the tensors of the networks we have, written out by hand.

One file for each family of names, with a tuple LAYOUTS; the first layout that knows a file's keys reads it.
"""

from __future__ import annotations

from enhance_cli.checkpoints.layouts import basicsr, edsr, kair, single, yjn870
from enhance_cli.checkpoints.layouts.contract import Layout

LAYOUTS: tuple[Layout, ...] = (
    *basicsr.LAYOUTS,
    *edsr.LAYOUTS,
    *kair.LAYOUTS,
    *single.LAYOUTS,
    *yjn870.LAYOUTS,
)
"""Order matters only where one layout's marks are part of another's."""
