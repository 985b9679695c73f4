import json
import os
import random
from itertools import pairwise

import numpy as np
import pytest
import safetensors.torch
import torch
from foreign_files import matlab_file, outcome, refusal
from safetensors.torch import load_file

from enhance_cli.checkpoints.raw import Raw, read_raw
from enhance_cli.checkpoints.recognise import recognise

STATE = {"conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "conv.bias": torch.ones(2)}
FLIPS = 250
"""Damaged files of each kind, about a second of them."""


def write_matlab(path):
    with matlab_file(path) as (file, layer):
        options = {"compression": "gzip", "chunks": (2, 3, 1, 2)}
        layer("conv", file.create_dataset("packed", data=np.ones((2, 3, 2, 2), "f4"), **options))
        layer("relu")
        layer("conv", np.ones((4, 2, 3), "f4"), np.ones((1, 1), "f4"))


KINDS = {
    "safetensors": lambda path: safetensors.torch.save_file(STATE, path, {"title": "test"}),
    "zip": lambda path: torch.save(STATE, path),
    "legacy": lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False),
    "matlab": write_matlab,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.bin"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".mat", ".jpg", ""])
@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_told_by_the_content_and_not_by_the_suffix(tmp_path, kind, suffix):
    path = tmp_path / f"weights{suffix}"
    KINDS[kind](path)
    raw = read_raw(path)
    assert isinstance(raw, Raw)
    if kind != "matlab":
        assert set(raw.tensors) == set(STATE)
        assert all(torch.equal(raw.tensors[key], value) for key, value in STATE.items())
    assert raw.metadata == ({"title": "test"} if kind == "safetensors" else {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_at_any_place_is_refused(path, kind):
    KINDS[kind](path)
    whole = path.read_bytes()
    places = sorted({*range(0, 20), *range(20, len(whole), max(1, len(whole) // 40)), len(whole) - 1})
    assert all(after > before for before, after in pairwise(places))
    for place in places:
        path.write_bytes(whole[:place])
        refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_bytes_never_end_in_anything_but_weights_or_one_line(path, kind):
    KINDS[kind](path)
    whole, rng = path.read_bytes(), random.Random(kind)
    for _ in range(FLIPS):
        content = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 4, 16])):
            content[rng.randrange(len(content))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        path.write_bytes(content)
        found = outcome(path)
        assert isinstance(found, Raw) or "\n" not in str(found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\x80", "no weights file known here"),
        (b"text\xff\xfe", "no weights file known here"),
        (b"P", "text file"),
        (b"just some words\n", "text file"),
        ("Gewichte für später\n".encode(), "text file"),
        (b"x" * 4095 + "ü".encode(), "text file"),
        (b'{"weights": [1, 2]}', "text file"),
        (b"12345678{}", "text file"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        (b"<HTML>Sign in", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(200), "-v7.3"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0" + bytes(range(256)), "ONNX"),
        (b"\x08\x03\x3a\xff\x01" + bytes(range(256)), "ONNX"),
        (b"\x1f\x8b\x08\x00" + bytes(60), "gzip"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f4'}", "NumPy"),
        (bytes(257) + b"ustar\x0000" + bytes(250), "tar archive"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "no weights file known here"),
        (bytes(range(200, 256)), "no weights file known here"),
    ],
)
def test_files_of_other_kinds_are_one_clear_line(path, content, words):
    path.write_bytes(content)
    assert words in refusal(path)


def test_places_that_are_no_files_are_told(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    assert "cannot read weights file" in refusal(tmp_path / "missing.pth")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path / "pipe")


def test_nan_is_handed_over(path):
    torch.save({"weight": torch.tensor([float("nan")])}, path)
    assert read_raw(path).tensors["weight"].isnan().all()


def test_safetensors_without_tensors_or_with_odd_names_are_refused(path):
    safetensors.torch.save_file({}, path, {"title": "empty"})
    assert "holds no weights" in refusal(path)
    safetensors.torch.save_file({"line\nbreak": torch.ones(1)}, path)
    assert "names a weight line break" in refusal(path)


@pytest.mark.parametrize("count", [65536, 65537])
def test_safetensors_of_more_weights_than_any_network_has_are_refused(path, count):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({str(i): entry for i in range(count)}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    if count > 65536:
        assert "has over 65536 entries" in refusal(path)
    else:
        assert len(read_raw(path).tensors) == count


def test_published_files_and_format_samples_are_as_pytorch_reads_them(shared):
    folder = shared / "reference"
    paths = [*folder.glob("formats/*.p*"), *folder.glob("published/**/*.pth")]
    assert len(paths) >= 10
    for path in paths:
        expected = torch.load(path, map_location="cpu", weights_only=True)
        tables = {key: inner for key, inner in expected.items() if isinstance(inner, dict)} or {"": expected}
        expected = {
            f"{name}.{key}".lstrip("."): one
            for name, table in tables.items()
            for key, one in table.items()
            if isinstance(one, torch.Tensor)
        }
        found = read_raw(path).tensors
        assert list(found) == list(expected), path.name
        for (key, value), given in zip(found.items(), expected.values(), strict=True):
            assert value.dtype == given.dtype
            assert value.is_contiguous()
            assert torch.equal(value, given), (path.name, key)


def test_all_wrappings_of_one_network_hold_the_same_weights(shared):
    folder = shared / "reference/formats"
    for network, pattern in (("edsr_tiny", "edsr_tiny_*"), ("basicsr_msrresnet_tiny", "basicsr_*")):
        case = load_file(folder / f"expected_{network}.safetensors")
        weights = {key.removeprefix("weights."): value for key, value in case.items() if "weights." in key}
        for path in folder.glob(pattern):
            found = recognise(read_raw(path).tensors).tensors
            expected = recognise(weights).tensors
            assert set(found) == set(expected)
            for key, value in found.items():
                rtol = 1e-3 if value.dtype == torch.float16 else 0
                torch.testing.assert_close(value.float(), expected[key], rtol=rtol, atol=rtol)
