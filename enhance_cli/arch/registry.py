"""Every network this package knows, written out by hand."""

from __future__ import annotations

from enhance_cli.arch import aim, compact, dncnn, edsr, ffdnet, mimo_unet, unet
from enhance_cli.arch.contract import Architecture

ARCHITECTURES: dict[str, Architecture] = {
    "aim": Architecture(aim.AIM, aim.spec),
    "compact": Architecture(compact.Compact, compact.spec),
    "dncnn": Architecture(dncnn.DnCNN, dncnn.spec),
    "edsr": Architecture(edsr.EDSR, edsr.spec),
    "ffdnet": Architecture(ffdnet.FFDNet, ffdnet.spec),
    "mimo_unet": Architecture(mimo_unet.MIMOUNet, mimo_unet.spec),
    "unet": Architecture(unet.UNet, unet.spec),
}
