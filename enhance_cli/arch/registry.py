"""Every network this package knows, written out by hand."""

from __future__ import annotations

from enhance_cli.arch import (
    aim,
    arcnn,
    compact,
    csnln,
    dncnn,
    edsr,
    espcn,
    ffdnet,
    fsrcnn,
    mdsr,
    memnet,
    mimo_unet,
    rcan,
    rnan,
    san,
    srcnn,
    unet,
    vdsr,
)
from enhance_cli.arch.contract import Architecture

ARCHITECTURES: dict[str, Architecture] = {
    "aim": Architecture(aim.AIM, aim.spec),
    "arcnn": Architecture(arcnn.ARCNN, arcnn.spec),
    "compact": Architecture(compact.Compact, compact.spec),
    "csnln": Architecture(csnln.CSNLN, csnln.spec),
    "dncnn": Architecture(dncnn.DnCNN, dncnn.spec),
    "edsr": Architecture(edsr.EDSR, edsr.spec),
    "espcn": Architecture(espcn.ESPCN, espcn.spec),
    "ffdnet": Architecture(ffdnet.FFDNet, ffdnet.spec),
    "fsrcnn": Architecture(fsrcnn.FSRCNN, fsrcnn.spec),
    "mdsr": Architecture(mdsr.MDSR, mdsr.spec),
    "memnet": Architecture(memnet.MemNet, memnet.spec),
    "mimo_unet": Architecture(mimo_unet.MIMOUNet, mimo_unet.spec),
    "rcan": Architecture(rcan.RCAN, rcan.spec),
    "rnan": Architecture(rnan.RNAN, rnan.spec),
    "san": Architecture(san.SAN, san.spec),
    "srcnn": Architecture(srcnn.SRCNN, srcnn.spec),
    "unet": Architecture(unet.UNet, unet.spec),
    "vdsr": Architecture(vdsr.VDSR, vdsr.spec),
}
