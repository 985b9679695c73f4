"""The networks that are compared, made ready for every runtime.

    python benchmarks/networks.py NAME WIDTH HEIGHT FOLDER

leaves weights and an ONNX file in the folder, and prints what a runtime must know.
"""

import json
import sys
import warnings
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from child import python


@dataclass(frozen=True)
class Network:
    name: str
    task: str
    flags: tuple[str, ...] = ()
    """Of `enhance`, besides the weights."""
    gray: bool = False
    shipped: bool = True
    arch: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    carriers: tuple[str, ...] = ()
    """Of a network by chance: beginnings of the names of layers that pass the picture on."""
    quick: bool = False


NETWORKS = (
    Network(
        "EDSR-baseline x4",
        "sr",
        ("--scale", "4"),
        shipped=False,
        arch="edsr",
        parameters={"scale": 4},
        carriers=("head", "tail"),
        quick=True,
    ),
    Network("DnCNN-17", "denoise", gray=True, shipped=False, arch="dncnn", quick=True),
    Network("FFDNet", "denoise", ("--sigma", "25"), True, False, "ffdnet", carriers=("model",)),
    Network("aim-dejpeg", "dejpeg", gray=True),
    Network("compact-sr-x4", "sr", ("--scale", "4"), quick=True),
    Network("unet-dejpeg-gray", "dejpeg", ("--quality", "10"), gray=True),
    Network("unet-denoise-rgb", "denoise", ("--sigma", "25")),
)
CONDITIONS = {"sigma": 25 / 255, "quality": 10 / 100}
"""What the flags above tell, as networks take it."""
PASSING, BESIDE = 0.1, 0.3
"""Strength of chance, over what keeps a signal's strength through ReLUs, in networks with layers that pass
the picture on: in these, and in the others."""
RESIDUAL = 0.1
"""Strength of the last layer in networks without, which predict a residual."""


@dataclass(frozen=True)
class Ready:
    """A network as the runtimes find it: its files, and how it wants to be fed."""

    weights: str
    onnx: str
    scale: int
    value_range: float
    margin: int
    """Mirrored pixels around the picture, as `enhance` lays them."""
    size: tuple[int, int]
    """Width and height of the pictures."""
    fed: tuple[int, int]
    """Height and width of what the network is given, margin included."""
    condition: float | None
    work: float
    """Nominal operations, 2 for each multiplication, for one pixel of input."""


def ready(network: Network, size: tuple[int, int], folder: Path) -> Ready:
    """Make it ready, in a process of its own, because this one's memory counts for its children too."""
    made = python(__file__, network.name, *size, folder)
    if made.code:
        raise SystemExit(f"{network.name} could not be prepared")
    return Ready(**json.loads(made.output.splitlines()[-1]))


def _prepare(network: Network, width: int, height: int, folder: Path) -> Ready:
    import torch

    from enhance_cli.checkpoints import catalog, store
    from enhance_cli.checkpoints.inspect import work_per_megapixel
    from enhance_cli.checkpoints.reader import load_file
    from enhance_cli.engine.tiles import round_up

    path = store.path_of(catalog.find(network.name)) if network.shipped else _by_chance(network, folder)
    net = load_file(path)
    spec = net.spec
    rows, columns = (max(n + 2 * spec.margin, spec.minimum) for n in (height, width))
    fed = (round_up(rows, spec.multiple), round_up(columns, spec.multiple))
    condition = CONDITIONS[spec.condition] if spec.condition else None
    x = torch.rand(1, 3 if spec.colour == "rgb" else 1, *fed) * spec.value_range
    onnx = folder / "network.onnx"
    if find_spec("onnx"):
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            # By way of TorchScript, which needs no more packages; for one size, which all runtimes take.
            torch.onnx.export(
                _told(net.module, condition), (x,), onnx, input_names=["x"], output_names=["y"], dynamo=False
            )
    return Ready(
        weights=str(path),
        onnx=str(onnx),
        scale=spec.scale,
        value_range=spec.value_range,
        margin=spec.margin,
        size=(width, height),
        fed=fed,
        condition=condition,
        work=2e3 * (work_per_megapixel(net) or 0) * spec.scale**2,
    )


def _told(module: Any, condition: float | None) -> Any:
    """The module with its condition as a constant."""
    import torch

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.level = None if condition is None else torch.full((1, 1, 1, 1), condition)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.module(x) if self.level is None else self.module(x, self.level)

    return Told().eval()


def _by_chance(network: Network, folder: Path) -> Path:
    """Weights by chance under which a picture stays one; trained ones would take as long."""
    import torch

    from enhance_cli.arch.registry import ARCHITECTURES
    from enhance_cli.checkpoints.reader import save_file

    torch.manual_seed(0)
    module = ARCHITECTURES[network.arch].build(**network.parameters)
    layers = {name: one for name, one in module.named_modules() if getattr(one, "kernel_size", 0) == (3, 3)}
    for name, layer in layers.items():
        passing = bool(network.carriers) and name.startswith(network.carriers)
        torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        torch.nn.init.zeros_(layer.bias)
        layer.weight.data *= PASSING if passing else BESIDE if network.carriers else 1
        if passing:
            # Each channel out is one that came in, too.
            n_out, n_in = layer.weight.shape[:2]
            out = torch.arange(n_out)
            layer.weight.data[out, ((out + 0.5) * n_in / n_out).long(), 1, 1] += 1
    if not network.carriers:
        layer.weight.data *= RESIDUAL
    path = folder / f"{network.arch}.safetensors"
    metadata = {"data": "none: weights by chance"}
    told = {"arch": network.arch, "parameters": network.parameters, "task": network.task}
    save_file(path, module, **told, metadata=metadata, half=False)
    return path


if __name__ == "__main__":
    network = next(one for one in NETWORKS if one.name == sys.argv[1])
    print(json.dumps(asdict(_prepare(network, int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))))
