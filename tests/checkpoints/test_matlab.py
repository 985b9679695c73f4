import json

import h5py
import numpy as np
import pytest
import torch
from foreign_files import matlab_file, refusal
from safetensors.torch import load_file
from torch.nn import functional as F

from enhance_cli.checkpoints import limits
from enhance_cli.checkpoints.raw import read_raw

RANDOM = np.random.default_rng(0)


def filters(*shape):
    return RANDOM.standard_normal(shape, dtype="f4")


def compressed(file, name, data, **options):
    return file.create_dataset(name, data=data, compression="gzip", **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.mat"


def test_convolutions_are_counted_and_turned_to_rows_before_columns(path):
    first, second = filters(4, 2, 3, 5), filters(4, 3, 5)  # kw, kh last; one output is not stored
    with matlab_file(path) as (_, layer):
        layer("SubP")
        layer("conv", first, np.ones((1, 4), "f4"))
        layer("relu")
        layer("conv", second, np.full((1, 1), 2.0, "f4"))
        layer("loss")
    found = read_raw(path).tensors
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "layers.0.weight": (4, 2, 5, 3),
        "layers.0.bias": (4,),
        "layers.1.weight": (1, 4, 5, 3),
        "layers.1.bias": (1,),
    }
    assert torch.equal(found["layers.0.weight"], torch.tensor(first).transpose(2, 3))
    assert found["layers.1.weight"][0, 1, 2, 0] == second[1, 0, 2]
    assert found["layers.1.bias"].tolist() == [2.0]
    assert all(value.is_contiguous() for value in found.values())


def test_doubles_and_compressed_filters_are_read_as_float32(path):
    data = filters(4, 2, 3, 3)
    with matlab_file(path) as (file, layer):
        layer("conv", compressed(file, "packed", data, shuffle=True), np.ones((1, 4)))
    found = read_raw(path).tensors
    assert torch.equal(found["layers.0.weight"], torch.tensor(data).transpose(2, 3))
    assert found["layers.0.bias"].dtype == torch.float32


def test_a_convolution_may_have_no_bias(path):
    with matlab_file(path) as (file, layer):
        empty = file.create_dataset("empty", data=np.zeros(2, "u8"))
        empty.attrs["MATLAB_empty"] = np.uint8(1)
        layer("conv", filters(4, 2, 3, 3), empty)
    assert set(read_raw(path).tensors) == {"layers.0.weight"}


def test_a_plain_hdf5_file_is_read_as_well(path):
    with matlab_file(path) as (_, layer):
        layer("conv", filters(4, 2, 3, 3))
    path.write_bytes(bytes(512) + path.read_bytes()[512:])
    assert set(read_raw(path).tensors) == {"layers.0.weight"}


def test_a_layer_that_has_no_place_is_named(path):
    with matlab_file(path) as (_, layer):
        layer("conv", filters(4, 2, 3, 3))
        layer("bnorm", filters(4), filters(4))
    assert "layer of type 'bnorm'" in refusal(path)


def test_filters_and_biases_have_to_agree(path):
    with matlab_file(path) as (_, layer):
        layer("conv", filters(4, 2, 3, 3), np.ones((1, 3), "f4"))
    assert "4 filters but 3 biases" in refusal(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.ones((4, 2, 3, 3), "i4"), "no array of floats"),
        (np.ones((1, 4, 2, 3, 3), "f4"), "no array of floats"),
        (np.ones((0, 2, 3, 3), "f4"), "no array of floats"),
        (np.array([b"text"]), "no array of floats"),
    ],
)
def test_filters_of_another_kind_are_refused(path, data, words):
    with matlab_file(path) as (_, layer):
        layer("conv", data)
    assert words in refusal(path)


def test_files_without_a_network_are_told(path):
    with h5py.File(path, "w") as file:
        file["x"] = np.ones(3)
    assert "has no 'net'" in refusal(path)
    with h5py.File(path, "w") as file:
        file["net"] = np.ones(3)
    assert "has no 'layers'" in refusal(path)
    with h5py.File(path, "w") as file:
        file["net/layers"] = np.ones(3)
    assert "no cell arrays" in refusal(path)
    with matlab_file(path) as (_, layer):
        layer("relu")
    assert "no convolution" in refusal(path)
    with matlab_file(path) as (file, layer):
        del layer("conv", filters(4, 2, 3, 3))["weights"]
    assert "has no 'weights'" in refusal(path)


def test_the_older_matlab_format_says_how_to_save(path):
    path.write_bytes(b"MATLAB 5.0 MAT-file, Platform: PCWIN64".ljust(128) + bytes(400))
    assert "save it in MATLAB with -v7.3" in refusal(path)


@pytest.mark.parametrize("length", [20, 511, 513, 600, 1000, 5000, -1])
def test_a_cut_file_is_noticed(path, length):
    with matlab_file(path) as (_, layer):
        layer("conv", filters(4, 2, 3, 3))
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    assert "cut off, damaged or unusual" in refusal(path)


@pytest.mark.parametrize("declared", [(1 << 14, 1 << 14, 3, 3), (1 << 20, 1 << 20, 1 << 20)])
def test_huge_filters_are_refused_before_they_are_read(path, declared):
    with matlab_file(path) as (file, layer):
        layer("conv", file.create_dataset("huge", declared, "f4", chunks=(1,) * len(declared)))
    assert "declares over" in refusal(path)


def test_filters_that_share_their_data_count_each_time(path, monkeypatch):
    with matlab_file(path) as (file, layer):
        zeros = compressed(file, "zeros", np.zeros((64, 64, 3, 3), "f4"))
        for _ in range(3):
            layer("conv", zeros)
    monkeypatch.setattr(limits, "MAX_ELEMENTS", 3 * 64 * 64 * 9)
    assert len(read_raw(path).tensors) == 3
    monkeypatch.setattr(limits, "MAX_ELEMENTS", 3 * 64 * 64 * 9 - 1)
    assert "declares over" in refusal(path)


def test_declared_filters_that_were_never_written_are_refused(path):
    for options in ({"chunks": (2, 2, 3, 3)}, {}):
        with matlab_file(path) as (file, layer):
            layer("conv", file.create_dataset("sparse", (64, 64, 3, 3), "f4", **options))
        assert "not in the file" in refusal(path)


def test_filters_that_are_partly_written_are_refused(path):
    with matlab_file(path) as (file, layer):
        sparse = file.create_dataset("sparse", (4, 4, 3, 3), "f4", chunks=(2, 4, 3, 3))
        sparse[:2] = 1.0
        layer("conv", sparse)
    assert "not in the file" in refusal(path)


def test_huge_chunks_of_few_filters_are_refused(path):
    with matlab_file(path) as (file, layer):
        options = {"chunks": (1 << 14, 1 << 10, 3, 3), "maxshape": (None,) * 4, "compression": "gzip"}
        layer("conv", file.create_dataset("chunky", (1, 1, 3, 3), "f4", **options))
    assert "declares over" in refusal(path)


def test_other_filters_of_hdf5_would_load_code_and_are_refused(path):
    with matlab_file(path) as (file, layer):
        layer("conv", file.create_dataset("packed", data=filters(4, 2, 3, 3), compression="lzf"))
    assert "compressed as MATLAB never does" in refusal(path)


@pytest.mark.parametrize("link", [h5py.SoftLink("/net"), h5py.ExternalLink("other.mat", "/net/layers")])
def test_links_are_not_followed(path, link):
    with matlab_file(path) as (file, _):
        file["net/layers"] = link
    assert "is a link elsewhere" in refusal(path)


def test_a_link_to_itself_is_refused(path):
    with h5py.File(path, "w") as file:
        file["net"] = h5py.SoftLink("/net")
    assert "is a link elsewhere" in refusal(path)


def test_weights_in_other_files_are_refused(path, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(288))
    with matlab_file(path) as (file, layer):
        external = [(str(tmp_path / "secret"), 0, 288)]
        layer("conv", file.create_dataset("outside", (4, 2, 3, 3), "f4", external=external))
    assert "outside of the file" in refusal(path)
    with matlab_file(path) as (file, layer):
        layout = h5py.VirtualLayout((4, 2, 3, 3), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (4, 2, 3, 3))
        layer("conv", file.create_virtual_dataset("virtual", layout))
    assert "outside of the file" in refusal(path)


def test_more_layers_than_any_network_are_refused(path):
    with matlab_file(path) as (file, _):
        file["net"].create_dataset("layers", (1 << 20, 1), h5py.ref_dtype)
    assert "1048576 entries where 1 to 4096" in refusal(path)


def test_references_to_nothing_are_damage(path):
    with matlab_file(path) as (file, _):
        file["net"].create_dataset("layers", data=np.full((2, 1), h5py.Reference()), dtype=h5py.ref_dtype)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize(
    ("file", "manifest"),
    [
        ("cszn+DnCNN/model/DnCNN3.mat", "cszn_dncnn3_mat"),
        ("cszn+DnCNN/model/GD_Color_Blind.mat", "cszn_gd_color_blind_mat"),
        ("cszn+FFDNet/models/FFDNet_gray.mat", "cszn_ffdnet_gray_mat"),
        ("cszn+FFDNet/models/FFDNet_color.mat", "cszn_ffdnet_color_mat"),
    ],
)
def test_published_networks_have_the_shapes_of_their_manifests(shared, file, manifest):
    found = read_raw(shared / "reference/published" / file).tensors
    keys = json.loads((shared / f"reference/manifests/{manifest}.json").read_text())["keys"]
    assert [list(value.shape) for value in found.values()] == [shape for shape, _ in keys.values()]


def test_a_published_network_computes_what_its_authors_computed(shared):
    found = read_raw(shared / "reference/published/cszn+DnCNN/model/DnCNN3.mat").tensors
    case = load_file(shared / "reference/cases/published_dncnn3_mat.safetensors")
    x = case["input"]
    for i in range(20):
        x = F.conv2d(
            x if i == 0 else x.relu(), found[f"layers.{i}.weight"], found[f"layers.{i}.bias"], padding=1
        )
    error = (case["input"] - x - case["output"]).abs().max() / case["output"].abs().max()
    assert error < 1e-5
