"""Networks as runtimes take them: what identifies them, and how to read them if that should be needed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from enhance_cli.checkpoints.catalog import Weights, catalog, of_tier
from enhance_cli.runtimes.contract import NetworkSource

if TYPE_CHECKING:
    from torch import nn

    from enhance_cli.arch.contract import ArchSpec
    from enhance_cli.checkpoints.reader import LoadedNet


def from_catalog(weights: Weights) -> NetworkSource:
    """Shipped weights, whose file is not read before a runtime asks for it."""

    def load() -> tuple[nn.Module, ArchSpec]:
        from enhance_cli.checkpoints.reader import load_weights

        net = load_weights(weights)
        return net.module, net.spec

    return NetworkSource(name=weights.name, sha256=weights.sha256, variant=weights.task, load=load)


def default_denoiser(gray: bool) -> NetworkSource:
    """The shipped weights that know what pictures look like, for three colours or one."""
    return from_catalog(of_tier("default", "denoise", gray=gray))


def from_loaded(net: LoadedNet) -> NetworkSource:
    """A network that has been read already."""
    variant: str = net.task
    if net.title is not None:
        # A foreign file may hold several networks, and leave open what its network is.
        variant += f" {net.arch} {json.dumps(net.parameters, sort_keys=True)} {net.chosen_for}"
    source = NetworkSource(
        name=net.name, sha256=net.sha256, variant=variant, load=lambda: (net.module, net.spec)
    )
    if any(net.sha256 == one.sha256 for one in catalog()):
        return source
    advice = f"see whether these --weights are whole, in RGB order and made for {net.task}"
    return replace(source, advice=advice)
