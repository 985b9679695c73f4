import hashlib
import json
import os

import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from small_networks import CONFIGURATIONS
from torch import nn

from enhance_cli.arch.contract import Architecture
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints import reader
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import load_file, load_weights, save_converted, save_file
from enhance_cli.checkpoints.store import sha256_of
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError, WriteError


def read(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture
def altered(saved):
    """Writes the file anew after a change of its metadata and tensors, and gives its path."""

    def alter(change) -> str:
        metadata, tensors = read(saved)
        change(metadata, tensors)
        safetensors.torch.save_file(tensors, saved, metadata=metadata)
        return saved

    return alter


def test_what_was_saved_comes_back(saved, module):
    net = load_file(saved)
    assert (net.name, net.arch, net.task, net.licence) == ("small", "dncnn", "denoise", "MIT")
    assert net.parameters == {"n_colours": 1, "n_feats": 4, "n_layers": 3, "batch_norm": True}
    assert net.spec == ARCHITECTURES["dncnn"].spec(**net.parameters)
    assert net.metadata["data"] == "random"
    assert net.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()
    for key, value in module.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(net.module.state_dict()[key], expected)


def test_a_loaded_network_is_ready_to_run(saved):
    module = load_file(saved).module
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_floats_are_halved_on_disk_and_counters_kept(saved):
    _, tensors = read(saved)
    counters = {key for key, value in tensors.items() if value.dtype == torch.int64}
    assert counters
    assert all(key.endswith("num_batches_tracked") and tensors[key] == 1 for key in counters)
    assert {value.dtype for key, value in tensors.items() if key not in counters} == {torch.float16}


def test_numbers_beyond_float16_keep_their_type(tmp_path):
    module = nn.BatchNorm2d(2)
    module.running_var[0] = 1e6
    save_file(tmp_path / "x", module, arch="a", parameters={}, task="sr", metadata={})
    _, tensors = read(tmp_path / "x")
    assert tensors["running_var"].tolist() == [1e6, 1]
    assert tensors["weight"].dtype == torch.float16


def test_memory_format_does_not_matter(tmp_path, module):
    spread = module.to(memory_format=torch.channels_last)
    save_file(
        tmp_path / "x",
        spread,
        arch="dncnn",
        parameters={"n_layers": 3},
        task="denoise",
        metadata={"arch": "x"},
    )
    metadata, tensors = read(tmp_path / "x")
    assert (metadata["arch"], json.loads(metadata["parameters"])) == ("dncnn", {"n_layers": 3})
    key, value = next(iter(module.named_parameters()))
    assert torch.equal(tensors[key], value.half())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_of_a_failed_training_are_not_saved(tmp_path, bad):
    module = nn.Conv2d(1, 1, 1)
    module.bias.data[0] = bad
    with pytest.raises(ModelError, match="'bias'"):
        save_file(tmp_path / "x", module, arch="a", parameters={}, task="sr", metadata={})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(saved, module, monkeypatch):
    before = saved.read_bytes()

    def fail(*names):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(WriteError):
        save_file(saved, module, arch="dncnn", parameters={}, task="denoise", metadata={})
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def first_key(tensors):
    return next(key for key, value in tensors.items() if value.ndim == 4)


def rename(metadata, tensors):
    tensors["extra.weight"] = torch.ones(1)


def drop(metadata, tensors):
    del tensors[first_key(tensors)]


def reshape(metadata, tensors):
    key = first_key(tensors)
    tensors[key] = tensors[key][:1].contiguous()


def poison(metadata, tensors):
    tensors[first_key(tensors)].view(-1)[0] = float("nan")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda metadata, tensors: metadata.pop("parameters"), "no metadata 'parameters'"),
        (lambda metadata, tensors: metadata.update(arch="dnn"), "unknown network 'dnn'; known: aim"),
        (lambda metadata, tensors: metadata.update(task="paint"), "unknown task 'paint'"),
        (lambda metadata, tensors: metadata.update(parameters="{"), "not JSON"),
        (lambda metadata, tensors: metadata.update(parameters="[]"), "JSON object"),
        pytest.param(
            lambda metadata, tensors: metadata.update(parameters='{"n_feats": ' + "[" * 100_000),
            "not JSON",
            id="nesting",
        ),
        pytest.param(
            lambda metadata, tensors: metadata.update(parameters='{"n_feats": ' + "1" * 5000 + "}"),
            "not JSON|beyond any network",
            id="digits",
        ),
        (lambda metadata, tensors: metadata.update(parameters='{"n_layers": 99}'), "do not make 99 layers"),
        (
            lambda metadata, tensors: metadata.update(arch="rcan", parameters='{"scale": 2, "n_groups": 1}'),
            "do not make 20 layers",
        ),
        (lambda metadata, tensors: metadata.update(chosen_for="loud"), "'chosen_for' is no number: loud"),
        (
            lambda metadata, tensors: metadata.update(parameters='{"n_layers": 3, "n": 1}'),
            "do not fit network 'dncnn'",
        ),
        (
            lambda metadata, tensors: metadata.update(parameters='{"n_layers": 1000000000}'),
            "beyond any network",
        ),
        (
            lambda metadata, tensors: metadata.update(parameters='{"n_layers": 3, "n_feats": 9999}'),
            "instead of",
        ),
        (
            lambda metadata, tensors: metadata.update(parameters='{"n_layers": 3, "n_feats": -4}'),
            "do not fit network 'dncnn'",
        ),
        (rename, "weight 'extra.weight' is none that"),
        (drop, r"weight '.*weight' is missing"),
        (reshape, r"weight '.*weight' has shape \(1, .*instead of \(4, 1, 3, 3\)|has shape \(1, 4, 3, 3\)"),
        (poison, r"weight '.*weight' holds NaN or Inf"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(altered, change, told):
    path = altered(change)
    with pytest.raises(ModelError, match=told) as caught:
        load_file(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a pickle", b"\xff" * 100, b"hello"])
def test_a_file_that_is_no_weights(tmp_path, data):
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"x\.safetensors"):
        load_file(tmp_path / "x.safetensors")


def test_a_truncated_file(saved):
    saved.write_bytes(saved.read_bytes()[:-10])
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        load_file(saved)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_a_path_leads_to_is_looked_at_before_it_is_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "sha256_of", lambda path: pytest.fail("would never end"))
    os.mkfifo(tmp_path / "pipe")
    for path, told in (
        (tmp_path / "gone.safetensors", "cannot read"),
        (tmp_path, "is a folder"),
        (tmp_path / "pipe", "is not a regular file"),
    ):
        with pytest.raises(ModelError, match=told):
            load_file(path)


def test_loading_by_catalog_entry_checks_the_hash(saved, write_catalog, table):
    write_catalog(table(name='"listed"', sha256=f'"{sha256_of(saved)}"'), table(name='"wrong"'))
    net = load_weights(find("listed"))
    assert (net.name, net.sha256) == ("listed", sha256_of(saved))
    with pytest.raises(ModelError, match="the catalog says"):
        load_weights(find("wrong"))


def foreign(path, **parameters):
    """A bare state_dict as the authors' code would save it."""
    module = ARCHITECTURES["dncnn"].build(n_layers=5, n_feats=8, **parameters)
    torch.save(module.state_dict(), path)
    return module


def test_a_foreign_file_is_recognised_by_its_keys(tmp_path):
    module = foreign(tmp_path / "net.pth")
    net = load_file(tmp_path / "net.pth")
    assert (net.arch, net.name, net.task) == ("dncnn", "net", "denoise")
    assert net.recognised.startswith("DnCNN")
    assert "n_layers 5" in net.recognised
    assert "\n" not in net.recognised
    for key, value in module.state_dict().items():
        assert torch.equal(net.module.state_dict()[key], value)


def test_the_task_decides_what_a_foreign_network_is_fed(tmp_path):
    foreign(tmp_path / "net.pth")
    assert load_file(tmp_path / "net.pth").spec.colour == "gray"
    net = load_file(tmp_path / "net.pth", Wanted(task="dejpeg"))
    assert (net.task, net.spec.colour) == ("dejpeg", "y")
    with pytest.raises(ModelError, match=r"net\.pth: DnCNN.* is for denoise and dejpeg, not for deblur"):
        load_file(tmp_path / "net.pth", Wanted(task="deblur"))


def test_options_that_nobody_knows_are_refused(tmp_path, saved):
    foreign(tmp_path / "net.pth")
    for path, told in (
        (tmp_path / "net.pth", "has no --arch-option depth"),
        (saved, "leave out --arch-option"),
    ):
        with pytest.raises(ModelError, match=told):
            load_file(path, Wanted(options={"depth": "3"}))


def test_keys_of_no_network_are_quoted(tmp_path):
    torch.save({"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"2 keys \(a\.weight, b\.weight"):
        load_file(tmp_path / "net.pth")


def test_nan_weights_of_others_are_refused(tmp_path):
    module = foreign(tmp_path / "net.pth")
    module.model[0].weight.data[0] = float("nan")
    torch.save(module.state_dict(), tmp_path / "net.pth")
    with pytest.raises(ModelError, match="NaN"):
        load_file(tmp_path / "net.pth")


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64", "float8_e4m3fn"])
@pytest.mark.parametrize("which", ["all", "one"])
def test_weights_of_types_that_no_network_computes_in_are_refused(tmp_path, dtype, which):
    state = ARCHITECTURES["edsr"].build(scale=2, n_blocks=1, n_feats=4).state_dict()
    for key in state if which == "all" else ["sub_mean.bias"]:
        state[key] = state[key].to(getattr(torch, dtype))
    safetensors.torch.save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(ModelError, match=f"weight '.*' is of type {dtype}; save the weights as float32"):
        load_file(tmp_path / "net.safetensors")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_of_other_floats_are_taken_and_counters_too(tmp_path, dtype):
    module = foreign(tmp_path / "net.pth", batch_norm=True)
    state = {key: value.to(getattr(torch, dtype)) for key, value in module.state_dict().items()}
    torch.save(state, tmp_path / "net.pth")
    for key, value in load_file(tmp_path / "net.pth").module.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[key].float())


def test_weights_that_float32_cannot_hold_are_refused(tmp_path):
    state = foreign(tmp_path / "net.pth").double().state_dict()
    state["model.0.weight"][0] = 1e300
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ModelError, match="NaN or Inf"):
        load_file(tmp_path / "net.pth")


@pytest.mark.parametrize("size", [(0,), (), (3, 1)])
def test_a_mean_shift_of_another_shape_is_named(tmp_path, size):
    state = ARCHITECTURES["edsr"].build(scale=2, n_blocks=1, n_feats=4).state_dict()
    torch.save({**state, "sub_mean.bias": torch.zeros(size)}, tmp_path / "net.pth")
    with pytest.raises(ModelError, match=r"weight 'sub_mean\.bias' has shape"):
        load_file(tmp_path / "net.pth")


@pytest.mark.parametrize(("arch", "parameters"), CONFIGURATIONS)
def test_every_network_has_as_many_weights_as_its_depth_asks_for(tmp_path, arch, parameters):
    module = ARCHITECTURES[arch].build(**parameters)
    save_file(tmp_path / "x", module, arch=arch, parameters=parameters, task="sr", metadata={}, half=False)
    found = load_file(tmp_path / "x").module.state_dict()
    assert all(torch.equal(found[key], value) for key, value in module.state_dict().items())


def rcan_of(n_groups, n_blocks):
    """Weights of one group and one block, and the first weight of each that the other numbers speak of."""
    state = ARCHITECTURES["rcan"].build(scale=2, n_groups=1, n_blocks=1, n_feats=8, reduction=4).state_dict()
    weight = state["body.0.body.0.body.0.weight"]
    state |= {f"body.{i}.body.0.body.0.weight": weight for i in range(n_groups)}
    return state | {f"body.0.body.{i}.body.0.weight": weight for i in range(n_blocks)}


@pytest.mark.parametrize("sides", [(40, 40), (1001, 1)])
def test_a_network_deeper_than_its_weights_can_be_is_never_built(tmp_path, monkeypatch, sides):
    torch.save(rcan_of(*sides), tmp_path / "net.pth")
    never = Architecture(lambda **parameters: pytest.fail("built"), ARCHITECTURES["rcan"].spec)
    monkeypatch.setitem(ARCHITECTURES, "rcan", never)
    with pytest.raises(ModelError, match=f"do not make {sides[0] * sides[1]} layers"):
        load_file(tmp_path / "net.pth")


@pytest.mark.parametrize("ours", [False, True])
def test_an_enlargement_beyond_all_networks_is_refused(tmp_path, ours):
    for scale in (8, 9):
        module, path = ARCHITECTURES["espcn"].build(scale=scale), tmp_path / f"{scale}.safetensors"
        if ours:
            save_file(path, module, arch="espcn", parameters={"scale": scale}, task="sr", metadata={})
        else:
            torch.save(module.state_dict(), path)
    assert load_file(tmp_path / "8.safetensors").spec.scale == 8
    with pytest.raises(ModelError, match="it enlarges 9 times, and no network here more than 8"):
        load_file(tmp_path / "9.safetensors")


def test_a_converted_network_keeps_the_strength_it_was_chosen_for(tmp_path):
    state = ARCHITECTURES["ircnn"].build(n_feats=4).state_dict()
    torch.save({str(level): state for level in range(25)}, tmp_path / "ircnn.pth")
    net = load_file(tmp_path / "ircnn.pth", Wanted(condition=15))
    for path in (tmp_path / "once.safetensors", tmp_path / "twice.safetensors"):
        save_converted(path, net)
        net = load_file(path)
        assert net.chosen_for == 16


def test_a_file_with_several_scales_tells_them(tmp_path):
    torch.save(ARCHITECTURES["mdsr"].build(scale=2, n_blocks=1, n_feats=4).state_dict(), tmp_path / "net.pth")
    assert load_file(tmp_path / "net.pth").scales == (2, 3, 4)
    foreign(tmp_path / "net.pth")
    assert load_file(tmp_path / "net.pth").scales == ()


@pytest.mark.parametrize("half", [False, True])
def test_a_converted_file_says_itself_what_it_holds(tmp_path, half):
    module = foreign(tmp_path / "net.pth", n_colours=3)
    net = load_file(tmp_path / "net.pth")
    save_converted(tmp_path / "ours.safetensors", net, half=half)
    again = load_file(tmp_path / "ours.safetensors")
    assert (again.arch, again.parameters, again.tasks) == (net.arch, net.parameters, net.tasks)
    assert again.recognised is None
    assert net.sha256 in again.metadata["converted_from"]
    expected = module.state_dict()["model.0.weight"]
    expected = expected.half().float() if half else expected
    assert torch.equal(again.module.state_dict()["model.0.weight"], expected)
    with pytest.raises(ModelError, match=f"it is for {' and '.join(net.tasks)}, not for sr"):
        load_file(tmp_path / "ours.safetensors", Wanted(task="sr"))
