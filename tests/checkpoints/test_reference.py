"""Every published manifest, case, file and format of the reference data, through the door that users take."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file as read_tensors

from enhance_cli.checkpoints.build import built
from enhance_cli.checkpoints.reader import load_file
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.imaging.colour import rgb_to_y
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.psnr import psnr

REFERENCE = Path(__file__).resolve().parents[3] / "shared/reference"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="no ../shared folder beside this checkout")

UNOFFICIAL = {"memnet_lornatang_unofficial"}
"""Computes something else than the authors' network, which only exists for Caffe."""
MANIFESTS = sorted({path.stem for path in REFERENCE.glob("manifests/*.json")} - {"index"} - UNOFFICIAL)
CASES = sorted(path.stem for path in REFERENCE.glob("cases/*.safetensors"))
FORMATS = sorted(path.name for path in REFERENCE.glob("formats/*tiny*") if "expected" not in path.name)
OPTIONS = {"edsr_resscale_x3": {"res_scale": "0.1"}, "basicsr_edsr_x2": {"res_scale": "0.5"}}
"""What no file shows."""
PUBLISHED = {
    "published_dncnn3_mat": "cszn+DnCNN/model/DnCNN3.mat",
    "published_ffdnet_color_mat": "cszn+FFDNet/models/FFDNet_color.mat",
    "published_ffdnet_gray_mat": "cszn+FFDNet/models/FFDNet_gray.mat",
    "published_gd_color_blind_mat": "cszn+DnCNN/model/GD_Color_Blind.mat",
    "published_kair_dncnn_25": "cszn+KAIR/model_zoo/dncnn_25.pth",
    "published_saoyan_dncnn_s_25": "SaoYan+DnCNN-PyTorch/logs/DnCNN-S-25/net.pth",
}
NOISE = {"published_saoyan_dncnn_s_25"}
"""Cases whose output is the noise that the network found."""
MDSR_SCALES = (2, 3, 4)


def manifest(name: str) -> dict:
    return json.loads((REFERENCE / "manifests" / f"{name}.json").read_text())


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_network_has_exactly_the_published_keys_shapes_and_parameters(name):
    told = manifest(name)
    with torch.device("meta"):
        tensors = {
            key.removeprefix("module."): torch.empty(shape, dtype=getattr(torch, dtype))
            for key, (shape, dtype) in told["keys"].items()
        }
    found = recognise(tensors, Wanted(scale=3))
    assert recognise(tensors, Wanted(scale=3, task=found.tasks[-1])).arch == found.arch
    module, _ = built(found)
    expected = {key: value.shape for key, value in module.state_dict().items()}
    assert {key: value.shape for key, value in found.tensors.items()} == expected
    # Ours have a bias everywhere and the mean shift in the file; what has no influence is only in theirs.
    ours, theirs = kept(found.tensors), kept({k: t for k, t in tensors.items() if k not in found.dropped})
    dropped = sum(tensors[key].numel() for key in found.dropped)
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    assert n_parameters - ours + theirs + dropped == told["total_parameters"]


def kept(tensors: dict) -> int:
    """How many numbers are biases of convolutions or a mean shift."""
    return sum(
        tensor.numel()
        for key, tensor in tensors.items()
        if "_mean.weight" in key
        or (key.endswith(".bias") and tensors[f"{key.removesuffix('bias')}weight"].ndim == 4)
    )


def open_case(name: str) -> tuple[dict, dict[str, torch.Tensor]]:
    with safe_open(str(REFERENCE / "cases" / f"{name}.safetensors"), "pt") as file:
        return json.loads(file.metadata()["info"]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@torch.no_grad()
def outputs(net, inputs: list[torch.Tensor], value_range: float) -> torch.Tensor:
    """The network's result on the scale of its authors' code."""
    x, *rest = inputs
    y = net.module(x * (net.spec.value_range / value_range), *rest)
    y = y if net.spec.output is None else y[net.spec.output]
    return y * (value_range / net.spec.value_range)


COMMUNITY = {"SMFANet_DF2K_x4.pth": 32.25, "rlfn_x4.pth": 32.24, "PANx4_DF2K.pth": 32.13}
"""PSNR on Set5, x4, that the papers give for files that people pass round."""


@pytest.mark.parametrize("name", COMMUNITY)
@torch.no_grad()
def test_a_file_of_the_authors_reaches_the_figure_of_its_paper(name):
    net, found = load_file(REFERENCE / "community" / name), []
    scale = net.spec.scale
    for path in sorted((REFERENCE.parent / "data/test/Set5").iterdir()):
        sharp = np.asarray(Image.open(path).convert("RGB"))
        height, width = (n // scale for n in sharp.shape[:2])
        sharp = sharp[: height * scale, : width * scale]
        small = torch.from_numpy(imresize(sharp, (height, width)).astype(np.float32))
        x = small.permute(2, 0, 1)[None] * (net.spec.value_range / 255)
        y = net.module(x)[0].permute(1, 2, 0) * (255 / net.spec.value_range)
        lumas = (rgb_to_y(one / 255.0) * 255 for one in (y.clip(0, 255).round().double().numpy(), sharp))
        found.append(psnr(*(one[scale:-scale, scale:-scale] for one in lumas)))
    assert sum(found) / len(found) == pytest.approx(COMMUNITY[name], abs=0.01)


def check(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("name", CASES)
def test_the_network_computes_what_the_authors_code_computes(name, tmp_path):
    info, tensors = open_case(name)
    path = REFERENCE / "published" / PUBLISHED[name] if name in PUBLISHED else tmp_path / "net.pth"
    if name not in PUBLISHED:
        weights = {k.removeprefix("weights."): t for k, t in tensors.items() if k.startswith("weights.")}
        torch.save(weights, path)
    x, tolerance = tensors["input"], info["suggested_tolerance_rel"]
    inputs = [x, tensors["sigma"]] if "sigma" in tensors else [x]
    value_range = info["config"].get("rgb_range", 1)
    if name == "mdsr":
        for number, scale in enumerate(MDSR_SCALES):
            net = load_file(path, Wanted(scale=scale))
            check(outputs(net, inputs, value_range), tensors[f"output.{number}"], tolerance)
        return
    net = load_file(path, Wanted(options=OPTIONS.get(name, {})))
    found = outputs(net, inputs, value_range)
    last = max((key for key in tensors if key.startswith("output")), default="output")
    check(x - found if name in NOISE else found, tensors[last], tolerance)


@pytest.mark.parametrize("name", FORMATS)
def test_every_wrapping_holds_the_same_network(name):
    family = "basicsr_msrresnet_tiny" if name.startswith("basicsr") else "edsr_tiny"
    expected = read_tensors(REFERENCE / "formats" / f"expected_{family}.safetensors")
    net = load_file(REFERENCE / "formats" / name)
    value_range = 1 if family.startswith("basicsr") else 255
    tolerance = 2e-3 if "float16" in name else 1e-5
    check(outputs(net, [expected["input"]], value_range), expected["output"], tolerance)


def test_tensors_of_stride_0_are_read_whole():
    net = load_file(REFERENCE / "formats/mimo_unet_full_keys_constant.pkl")
    assert (net.arch, net.task) == ("mimo_unet", "deblur")
    keys = list(manifest("mimo_unet")["keys"])
    state = net.module.state_dict()
    assert all((state[key] == number).all() for number, key in enumerate(keys))
