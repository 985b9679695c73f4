"""What an NVIDIA GPU makes of `enhance`, in one run of less than 8 minutes.

    python benchmarks/gpu.py --data-root FOLDER_OF_SET5 [--edsr FILE]
    python benchmarks/gpu.py --quick --device cpu       # does the script itself work?

EDSR-baseline x4 (weights by chance unless --edsr names some) and aim-dejpeg: the engine against torch eager
float32 over the whole picture; the share of the card's own matrix-multiply rate; what reduced precision
costs in dB; whether cuDNN's search, CUDA graphs or torch.compile would gain; seconds for each stage; and the
tests that want the GPU. Ends with one line for each requirement, and exit code 1 if one is not met.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from timing import Bench, convolutions, graphed, section

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from enhance_cli.arch.registry import ARCHITECTURES  # noqa: E402
from enhance_cli.checkpoints import catalog  # noqa: E402
from enhance_cli.checkpoints.inspect import work_per_megapixel  # noqa: E402
from enhance_cli.checkpoints.reader import LoadedNet, load_file, load_weights  # noqa: E402
from enhance_cli.checkpoints.wanted import Wanted  # noqa: E402
from enhance_cli.degrade.bicubic import modcrop, shrink  # noqa: E402
from enhance_cli.degrade.jpeg import compress  # noqa: E402
from enhance_cli.engine import network  # noqa: E402
from enhance_cli.engine.restorer import Restorer  # noqa: E402
from enhance_cli.engine.settings import EngineSettings  # noqa: E402
from enhance_cli.imaging.colour import rgb_to_y, to_float  # noqa: E402
from enhance_cli.imaging.picture import Picture  # noqa: E402
from enhance_cli.metrics.psnr import decibels, mean_square, psnr  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPO)}
GAIN, LOSS = 4.0, 0.01
"""What is required: times as fast as torch eager float32, and at most so many dB away from it."""
QUICK_CROP = 48
TESTS = ("tests/engine/test_cuda.py",)


def nets(edsr: Path | None) -> dict[str, LoadedNet]:
    torch.manual_seed(0)
    first = load_file(edsr, Wanted(task="sr")) if edsr else by_chance("EDSR", "edsr", {"scale": 4})
    return {"EDSR-baseline x4": first, "aim-dejpeg": load_weights(catalog.find("aim-dejpeg"))}


def by_chance(name: str, arch: str, parameters: dict) -> LoadedNet:
    entry = ARCHITECTURES[arch]
    module = entry.build(**parameters).eval().requires_grad_(False)
    return LoadedNet(module, entry.spec(**parameters), name, arch, parameters, "sr", "0" * 64, None, {})


def shown(side: int, channels: int) -> Picture:
    """Waves and noise, as light as photographs are on average."""
    rows, columns = np.mgrid[:side, :side] / side
    waves = 110 + 70 * np.sin(40 * rows**2 + 9 * columns)[..., None]
    noise = np.random.default_rng(0).normal(0, 12, (side, side, channels))
    return Picture((waves + noise).clip(0, 255).astype(np.uint8))


def matmul_rates(bench: Bench) -> dict[torch.dtype, float]:
    """Operations in a second, by type."""
    side = 256 if bench.quick else 8192
    rates = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        a = torch.randn(side, side, device=bench.device).to(dtype)
        rates[dtype] = 2 * side**3 / bench.seconds(lambda a=a: a @ a)
        print(f"  {str(dtype)[6:]:9} {rates[dtype] / 1e12:8.2f} Tflop/s (matrices of {side})", flush=True)
    return rates


def network_alone(
    bench: Bench, name: str, net: LoadedNet, rates: dict[torch.dtype, float], *, compiled: bool
):
    """The network on tensors that are on the device already, in the ways there are."""
    spec, device = net.spec, bench.device
    restorer = Restorer.of(net, EngineSettings(device=str(device), backend="torch"))
    dtype = getattr(torch, restorer.runtime.precision)
    print(f"  {name}: {bench.side} x {bench.side}, engine's precision {restorer.runtime.precision}")
    x = torch.rand(1, 3 if spec.colour == "rgb" else 1, bench.side, bench.side, device=device)
    x = x * spec.value_range
    plain = copy.deepcopy(net.module).to(device)
    ours = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    work = 2e9 * (work_per_megapixel(net) or float("nan")) * x[0, 0].numel() * spec.scale**2 / 1e6

    def reduced(run=ours):
        with nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype):
            return run(x.contiguous(memory_format=torch.channels_last))

    def row(label: str, make, *, search: bool = False, tf32: bool = False) -> float:
        """Time what `make` gives; what breaks is said and is nan."""
        try:
            with convolutions(tf32=tf32, search=search):
                start = time.perf_counter()
                run = make()
                run()
                bench.wait()
                first = time.perf_counter() - start
                seconds, memory = bench.seconds(run), bench.peak(run)
        except Exception as error:
            print(f"    {label:30} broke: {' '.join(str(error).split())[:160]}", flush=True)
            return float("nan")
        share = work / seconds / rates[torch.bfloat16]
        ratio = base / seconds if base else 1.0
        print(
            f"    {label:30} {1e3 * seconds:8.2f} ms {ratio:6.2f}x  {share:6.1%} of the bf16 rate", end="  "
        )
        print(f"{memory:6.0f} MB, first call {first:.2f} s", flush=True)
        return seconds

    def compiled_net():
        fast = torch.compile(ours)
        return lambda: reduced(fast)

    base = 0.0
    base = row("eager float32, whole picture", lambda: lambda: plain(x))
    row("the same with torch's TF32", lambda: lambda: plain(x), tf32=True)
    alone = row("engine: channels_last, reduced", lambda: reduced)
    row("+ cuDNN's search", lambda: reduced, search=True)
    if bench.cuda:
        row("+ CUDA graph", lambda: graphed(reduced))
    if compiled:
        row("+ torch.compile", compiled_net)
    bench.require(
        base / alone >= GAIN, f"{name}, network alone: {base / alone:.2f}x eager float32 (>= {GAIN})"
    )


def picture_to_picture(bench: Bench, name: str, net: LoadedNet) -> None:
    """From 8 bits to 8 bits in the CPU's memory: as research scripts do it, and by the engine."""
    picture = shown(bench.side, 3 if net.spec.colour == "rgb" else 1)
    device, top = bench.device, net.spec.value_range
    module = copy.deepcopy(net.module).to(device)

    def script():
        x = torch.from_numpy(picture.pixels.astype(np.float32).transpose(2, 0, 1)[None] / 255).to(device)
        y = (module(x * top) / top * 255).round().clamp(0, 255)
        return y[0].byte().permute(1, 2, 0).cpu().numpy()

    restorer = Restorer.of(net, EngineSettings(device=str(device), backend="torch"))
    with convolutions():
        plain = bench.seconds(script)
    with convolutions(tf32=True):
        tf32 = bench.seconds(script)
    ours = bench.seconds(lambda: restorer.restore(picture))
    memory = bench.peak(lambda: restorer.restore(picture))
    print(f"  {name}: eager float32 {1e3 * plain:.1f} ms, with TF32 {1e3 * tf32:.1f} ms", end=", ")
    print(
        f"engine {1e3 * ours:.1f} ms = {plain / ours:.2f}x and {tf32 / ours:.2f}x, {memory:.0f} MB",
        flush=True,
    )
    bench.require(
        plain / ours >= GAIN, f"{name}, picture to picture: {plain / ours:.2f}x eager float32 (>= {GAIN})"
    )


def precision_costs(bench: Bench, name: str, net: LoadedNet, folder: Path, *, chance: bool) -> None:
    """Luma PSNR in float32 and reduced precision, against the clean pictures and each other."""
    reduced = "auto" if bench.cuda else "bfloat16"
    if not bench.cuda and reduced not in net.spec.half:
        print(f"  {name}: left out, a CPU has only bfloat16, which it does not stand")
        return
    rows = []
    for path in pictures(folder)[: 1 if bench.quick else None]:
        clean, given = pair(path, net, QUICK_CROP if bench.quick else None)
        results = []
        for precision in ("float32", reduced):
            settings = EngineSettings(device=str(bench.device), backend="torch", precision=precision)
            # Not rounded to 8 bits: that would hide small differences, or add to them.
            results.append(luma(Restorer.of(net, settings).restore_plane(to_float(given))))
        against = [psnr(one, luma(clean / 255), peak=1) for one in results]
        rows.append((*against, mean_square(results[0] - results[1])))
    full, less, between = (float(one) for one in np.mean(rows, 0))
    print(f"  {name}: {len(rows)} pictures, float32 {full:.3f} dB, reduced {less:.3f} dB", end=", ")
    print(f"{decibels(between, 1):.1f} dB apart", flush=True)
    # Weights by chance restore nothing: then what such an error would cost a result of 32 dB.
    cost = 10 * np.log10(1 + between * 10**3.2) if chance else full - less
    bench.require(abs(cost) <= LOSS, f"{name}, reduced precision costs {cost:.4f} dB (<= {LOSS})")


def pair(path: Path, net: LoadedNet, side: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Clean and spoilt: shrunk, or its luma as JPEG of quality 10."""
    scale = net.spec.scale
    clean = modcrop(np.asarray(Image.open(path).convert("RGB")), scale)
    if side:
        clean = clean[: side * scale, : side * scale]
    if net.task == "sr":
        return clean, shrink(clean, scale)
    clean = np.rint(luma(clean / 255) * 255).astype(np.uint8)
    return clean, compress(clean, 10)


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".webp", ".bmp"))


def luma(x: np.ndarray) -> np.ndarray:
    return (x if x.shape[2] == 1 else rgb_to_y(x)).astype(np.float64)


def tiles_at_once(bench: Bench) -> None:
    """RNAN, whose tiles are small: is it faster with several at once?"""
    net = by_chance("RNAN", "rnan", {"n_groups": 2 if bench.quick else 10})
    for most in (1, 4, 16):
        network.LARGEST_BATCH = most
        restorer = Restorer.of(net, EngineSettings(device=str(bench.device), backend="torch"))
        picture = shown(bench.side, 3)
        print(
            f"  {most:2} tiles at once: {bench.seconds(lambda r=restorer, p=picture: r.restore(p)):.3f} s",
            flush=True,
        )


def stages(bench: Bench) -> None:
    """Seconds for each stage of a batch through the command line."""
    n = 2 if bench.quick else 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for i in range(n):
            Image.fromarray(shown(bench.side, 3).pixels).save(folder / "in" / f"{i}.png")
        for words in (("sr", "--scale", "4"), ("dejpeg", "--model", "aim-dejpeg")):
            paths = (str(folder / "in"), str(folder / words[0]))
            told = ("--device", str(bench.device), "--json", "--quiet")
            command = [sys.executable, "-m", "enhance_cli", *words, *told, *paths]
            done = subprocess.run(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True)
            events = [json.loads(line) for line in done.stdout.splitlines()]
            spent = [event["seconds"] for event in events if event["event"] == "file"]
            means = {stage: median(one[stage] for one in spent) for stage in ("read", "restore", "write")}
            whole = next(event["seconds"] for event in events if event["event"] == "summary")
            each = ", ".join(f"{stage} {1e3 * value:.0f} ms" for stage, value in means.items())
            print(f"  {' '.join(words)}: {n} pictures in {whole:.2f} s; median {each}", flush=True)


def tests(bench: Bench) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *TESTS]
    done = subprocess.run(command, cwd=REPO, env=ENVIRONMENT)
    bench.require(done.returncode == 0, f"tests: exit code {done.returncode}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small pictures: only whether the script works")
    parser.add_argument("--data-root", type=Path, help="folder that holds Set5")
    parser.add_argument("--edsr", type=Path, help="the authors' weights of EDSR-baseline x4")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args()
    bench, start = Bench(options.device, quick=options.quick), time.perf_counter()
    folder = options.data_root / "Set5" if options.data_root else REPO / "examples" / "reference"
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if bench.cuda else 'no NVIDIA GPU'}")
    known = nets(options.edsr)
    with torch.inference_mode():
        rates: dict[torch.dtype, float] = {}
        with section("The machine's matrix-multiply rate"):
            rates = matmul_rates(bench)
        for name, net in known.items():
            with section(f"{name}: the network alone"):
                network_alone(bench, name, net, rates, compiled=bench.cuda and not options.no_compile)
        with section("From picture to picture"):
            for name, net in known.items():
                picture_to_picture(bench, name, net)
        with section(f"Reduced precision on {folder.name}"):
            for name, net in known.items():
                precision_costs(bench, name, net, folder, chance=net.sha256 == "0" * 64)
            shipped = load_weights(catalog.find("compact-sr-x4"))
            precision_costs(bench, "compact-sr-x4", shipped, folder, chance=False)
        with section("RNAN's tiles"):
            tiles_at_once(bench)
    with section("Stages of a batch"):
        stages(bench)
    with section("Tests"):
        tests(bench)
    print(f"\n## Required ({time.perf_counter() - start:.0f} s in all)")
    for met, what in bench.verdicts:
        print(f"  {'met    ' if met else 'NOT MET'} {what}")
    return 0 if all(met for met, _ in bench.verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
