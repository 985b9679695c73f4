"""How fast and how alike torch and ncnn compute the same networks, side by side on the same picture."""

import argparse
import sys
import time
from pathlib import Path

import torch

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from enhance_cli.arch.registry import ARCHITECTURES  # noqa: E402
from enhance_cli.checkpoints import catalog  # noqa: E402
from enhance_cli.checkpoints.reader import LoadedNet, load_weights  # noqa: E402
from enhance_cli.engine.backends.eager import EagerBackend  # noqa: E402
from enhance_cli.engine.backends.fold import fold  # noqa: E402
from enhance_cli.engine.backends.ncnn_backend import NcnnBackend  # noqa: E402
from enhance_cli.engine.backends.ncnn_model import write  # noqa: E402
from enhance_cli.engine.backends.probe import probe  # noqa: E402
from enhance_cli.engine.backends.trace import trace  # noqa: E402

CLASSICS = {
    "EDSR-baseline x4": ("edsr", {"scale": 4}),
    "DnCNN-17": ("dncnn", {"n_layers": 17}),
    "FFDNet gray": ("ffdnet", {}),
    "IRCNN": ("ircnn", {}),
    "MIMO-UNet": ("mimo_unet", {}),
}
"""Published networks, with weights by chance: what they compute takes as long."""


def nets() -> dict[str, LoadedNet]:
    shipped = {one.name: load_weights(one) for one in catalog.catalog()}
    torch.manual_seed(0)
    classics = {name: by_chance(name, arch, parameters) for name, (arch, parameters) in CLASSICS.items()}
    return shipped | classics


def by_chance(name: str, arch: str, parameters: dict) -> LoadedNet:
    entry = ARCHITECTURES[arch]
    module = entry.build(**parameters).eval().requires_grad_(False)
    return LoadedNet(module, entry.spec(**parameters), name, arch, parameters, "sr", "0" * 64, None, {})


def whole_and_plain(net: LoadedNet):
    """The module as research scripts run it."""

    def run(x, condition):
        y = net.module(x.contiguous()) if condition is None else net.module(x.contiguous(), condition)
        return y if net.spec.output is None else y[net.spec.output]

    return run


def best_seconds(runs: list, x, condition, repeats: int) -> list[float]:
    """The best of each, in turns, so that all meet the same disturbances."""
    best = [float("inf")] * len(runs)
    for _ in range(repeats):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run(x, condition)
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--megapixels", type=float, default=0.3, help="of the picture that goes in")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    options = parser.parse_args()
    side = int((options.megapixels * 1e6) ** 0.5)
    print(f"{'network':20} threads  eager s  channels_last  ncnn    ncnn/ch.last  difference (grey levels)")
    for name, net in nets().items():
        if options.only not in name:
            continue
        x, condition = probe(net.spec, side)
        for threads in options.threads:
            torch.set_num_threads(threads)
            graph = fold(trace(net.module, net.spec))
            ncnn = NcnnBackend(graph, write(graph))
            runs = [whole_and_plain(net), EagerBackend(net, torch.device("cpu")), ncnn]
            with torch.inference_mode():
                y, z = (run(x, condition) for run in runs[1:])
                seconds = best_seconds(runs, x, condition, options.repeats)
            ratios = [seconds[0] / one for one in seconds]
            grey = (y - z).abs().max().item() / net.spec.value_range * 255
            print(
                f"{name:20} {threads:7}  {seconds[0]:7.2f}  {ratios[1]:12.2f}x  {ratios[2]:5.2f}x"
                f"  {ratios[2] / ratios[1]:11.2f}x  {grey:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
