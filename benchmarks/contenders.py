"""How other runtimes do a batch: decode with Pillow, run the network on whole pictures, encode with Pillow.

    python benchmarks/contenders.py NAME THREADS NETWORK.json IN OUT

One process that does one thing after the other, as research scripts do. Prints its seconds.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from networks import Ready
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
Forward = Callable[[Array], Array]
"""(1, C, H, W) in 0..value_range -> the network's result."""
PNG_LEVEL = 2
"""That of `enhance`: the difference between encoders is not what is measured."""


@dataclass(frozen=True)
class Contender:
    name: str
    needs: tuple[str, ...]
    """Modules that must be there."""
    load: Callable[[Ready, int], Forward]
    """With so many threads."""


def eager(network: Ready, threads: int) -> Forward:
    return _torch(network, threads, channels_last=False)


def channels_last(network: Ready, threads: int) -> Forward:
    return _torch(network, threads, channels_last=True)


def _torch(network: Ready, threads: int, *, channels_last: bool) -> Forward:
    import torch

    from enhance_cli.checkpoints.reader import load_file

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    module = load_file(Path(network.weights)).module.to(memory_format=layout)
    more = () if network.condition is None else (torch.full((1, 1, 1, 1), network.condition),)

    def forward(x: Array) -> Array:
        with torch.inference_mode():
            return module(torch.from_numpy(x).contiguous(memory_format=layout), *more).numpy()

    return forward


def onnx_runtime(network: Ready, threads: int) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(network.onnx, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def openvino(network: Ready, threads: int) -> Forward:
    # As the runtime does it, which would bring torch and its memory with it: what
    # is told to the makers over the network is no part of the comparison.
    sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
    from openvino import Core

    # Unasked it computes in bfloat16 where the processor can.
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = Core().compile_model(network.onnx, "CPU", settings)
    return lambda x: model(x)[0]


def opencv(network: Ready, threads: int) -> Forward:
    import cv2

    cv2.setNumThreads(threads)
    # The engine that came with OpenCV 5 gets FFDNet wrong.
    engine = [cv2.dnn.ENGINE_CLASSIC] if hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
    net = cv2.dnn.readNetFromONNX(network.onnx, *engine)

    def forward(x: Array) -> Array:
        net.setInput(x)
        return net.forward()

    return forward


CONTENDERS = (
    Contender("torch eager", ("torch",), eager),
    Contender("torch channels_last", ("torch",), channels_last),
    Contender("ONNX Runtime", ("onnx", "onnxruntime"), onnx_runtime),
    Contender("OpenVINO", ("onnx", "openvino"), openvino),
    Contender("OpenCV dnn", ("onnx", "cv2"), opencv),
)


def batch(forward: Forward, network: Ready, source: Path, target: Path) -> dict[str, float]:
    """Seconds of the whole batch, and of the network in it."""
    target.mkdir(parents=True)
    computing, start = 0.0, time.perf_counter()
    for path in sorted(source.glob("*.png")):
        pixels = np.asarray(Image.open(path))
        x = fed(pixels, network)
        before = time.perf_counter()
        y = forward(x)
        computing += time.perf_counter() - before
        result = shown(y, pixels.shape[:2], network)
        Image.fromarray(result).save(target / path.name, compress_level=PNG_LEVEL)
    return {"seconds": time.perf_counter() - start, "computing": computing}


def fed(pixels: NDArray[np.uint8], network: Ready) -> Array:
    """(H, W) or (H, W, 3) as the network is given it, mirrored at its borders as `enhance` does."""
    planes = np.atleast_3d(pixels).transpose(2, 0, 1)[None]
    sides = [
        (network.margin, fed - network.margin - n)
        for fed, n in zip(network.fed, pixels.shape[:2], strict=True)
    ]
    whole = np.pad(planes, [(0, 0), (0, 0), *sides], mode="symmetric")
    return whole.astype(np.float32) * np.float32(network.value_range / 255)


def shown(y: Array, size: tuple[int, int], network: Ready) -> NDArray[np.uint8]:
    """The network's result without margin, in 8 bits."""
    top = network.margin * network.scale
    height, width = (n * network.scale for n in size)
    planes = y[0, :, top : top + height, top : top + width] * np.float32(255 / network.value_range)
    return (planes.clip(0, 255) + np.float32(0.5)).astype(np.uint8).transpose(1, 2, 0).squeeze()


def main() -> None:
    name, threads, network, source, target = sys.argv[1:]
    contender = next(one for one in CONTENDERS if one.name == name)
    ready = Ready(**json.loads(Path(network).read_text()))
    try:
        forward = contender.load(ready, int(threads))
        found: dict[str, float | str] = {**batch(forward, ready, Path(source), Path(target))}
    except Exception as error:  # whatever a foreign runtime raises is its result here
        found = {"error": (str(error).strip() or type(error).__name__).splitlines()[0]}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
