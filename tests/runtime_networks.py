"""Small networks for tests of runtimes."""

import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.runtimes.contract import NetworkSource


def build(name, parameters):
    """A small network with random weights, and its spec."""
    entry = ARCHITECTURES[name]
    torch.manual_seed(0)
    module = entry.build(**parameters).eval().requires_grad_(False)
    for key, tensor in module.state_dict().items():
        # Fresh ones do nothing.
        if key.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return module, entry.spec(**parameters)


def source(name="unet", parameters=None, *, sha256="0" * 64):
    """The same as a NetworkSource that counts in `.reads` how often it was read."""
    parameters = parameters or {"n_feats": 4, "n_blocks": 1, "condition": "sigma"}
    reads = []

    def load():
        reads.append(1)
        return build(name, parameters)

    made = NetworkSource(name="small", sha256=sha256, load=load)
    object.__setattr__(made, "reads", reads)
    return made
