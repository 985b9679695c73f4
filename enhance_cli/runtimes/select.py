"""Which runtime serves a network on this machine, and in which precision."""

from __future__ import annotations

from enhance_cli.runtimes.contract import NetworkSource, Runtime, RuntimeSettings


def open_runtime(network: NetworkSource, settings: RuntimeSettings) -> Runtime:
    """The runtime that was asked for, or, for "auto", the fastest that agrees with torch in float32.

    A network that has been prepared before, by this function too, is opened without torch.  Where memory runs
    out or a result in reduced precision is unusable, call again with other settings, for example
    `replace(settings, device="cpu")` or `replace(settings, precision="float32")`.
    DeviceError if what was asked for is not there or cannot compute this network; UsageError for bad settings;
    and whatever `network.load` raises.
    """
    raise NotImplementedError
