"""How other people's checkpoints name the tensors of the networks we have, written out by hand.

One file per network, each with a tuple LAYOUTS; the first layout that knows a file's keys reads it.
"""

from __future__ import annotations

from enhance_cli.checkpoints.layouts import (
    arcnn,
    csnln,
    dncnn,
    edsr,
    espcn,
    ffdnet,
    fsrcnn,
    ircnn,
    mdsr,
    mimo_unet,
    msrresnet,
    rcan,
    rnan,
    san,
    srcnn,
    srgan,
    srresnet,
    vdsr,
)
from enhance_cli.checkpoints.layouts.contract import Layout

LAYOUTS: tuple[Layout, ...] = (
    *arcnn.LAYOUTS,
    *csnln.LAYOUTS,
    *dncnn.LAYOUTS,
    *edsr.LAYOUTS,
    *espcn.LAYOUTS,
    *ffdnet.LAYOUTS,
    *fsrcnn.LAYOUTS,
    *ircnn.LAYOUTS,
    *mdsr.LAYOUTS,
    *mimo_unet.LAYOUTS,
    *msrresnet.LAYOUTS,
    *rcan.LAYOUTS,
    *rnan.LAYOUTS,
    *san.LAYOUTS,
    *srcnn.LAYOUTS,
    *srgan.LAYOUTS,
    *srresnet.LAYOUTS,
    *vdsr.LAYOUTS,
)
"""Order matters only where one layout's marks are part of another's."""
