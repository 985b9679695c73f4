import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from foreign_files import Call, dumps, module_named, refusal, storage, tensor, write_legacy, write_zip
from torch import nn

from enhance_cli.checkpoints import statedict
from enhance_cli.checkpoints.raw import read_raw

WEIGHT = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pth"


def state(shift=0.0):
    return OrderedDict({"weight": WEIGHT + shift, "bias": torch.ones(2)})


def read(path, saved):
    torch.save(saved, path)
    return read_raw(path).tensors


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, bias=False)
        self.relu = nn.ReLU(inplace=True)


class Net(nn.Module):
    """Shaped like VDSR, with everything a module can hold."""

    def __init__(self):
        super().__init__()
        self.residual_layer = nn.Sequential(Block(), Block())
        self.input = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.prelu = nn.PReLU()
        self.register_buffer("scratch", torch.zeros(3), persistent=False)
        self.register_buffer("nothing", None)
        self.options = {"upscale": 2}


def test_dicts_inside_dicts_name_their_tensors(path):
    optimizer = {"state": {0: {"m": WEIGHT}}, "param_groups": [{"lr": 1e-4}]}
    found = read(path, {"epoch": 3, "optimizer": optimizer, "best": WEIGHT[0], "params": state()})
    assert list(found) == ["best", "params.weight", "params.bias"]
    assert torch.equal(found["params.weight"], WEIGHT)
    assert set(read(path, {"a": {"b": {"c": state()}}})) == {"a.b.c.weight", "a.b.c.bias"}
    torch.save({"a": {"b": {"c": {"d": state()}}}}, path)
    assert "holds no weights (its keys: a)" in refusal(path)


def test_entries_that_are_no_tensors_are_left_out(path):
    assert set(read(path, {**state(), "epoch": 3, "note": "text"})) == {"weight", "bias"}


def test_parameters_and_tensors_with_attributes_are_tensors(path):
    marked = torch.ones(2)
    marked.origin = "elsewhere"
    with_state = nn.Parameter(WEIGHT)
    with_state.origin = "elsewhere"
    found = read(path, {"weight": nn.Parameter(WEIGHT), "bias": marked, "more": with_state})
    assert torch.equal(found["weight"], WEIGHT)
    assert torch.equal(found["bias"], marked)
    assert torch.equal(found["more"], WEIGHT)
    assert not any(value.requires_grad for value in found.values())


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "DataParallel"])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_pickled_network_is_its_state_dict(path, protocol, legacy, wrapped):
    with module_named("vdsr", Net=Net, Conv_ReLU_Block=Block):
        net = Net()
        saved = {"epoch": 50, "model": nn.DataParallel(net) if wrapped else net}
        torch.save(saved, path, _use_new_zipfile_serialization=not legacy, pickle_protocol=protocol)
    found = read_raw(path).tensors
    expected = (nn.DataParallel(net) if wrapped else net).state_dict(prefix="model.")
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert torch.equal(found[key], value), key


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_network_without_a_wrapper_is_read_too(path):
    with module_named("models", DnCNN=Net):
        net = Net()
        net.residual_layer = nn.Sequential()
        torch.save(net, path, _use_new_zipfile_serialization=False)
    assert list(read_raw(path).tensors) == list(net.state_dict())


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_network_of_an_unknown_class_is_refused_by_name(path):
    with module_named("somewhere", Net=Net, Block=Block):
        torch.save(Net(), path)
    assert "holds a call to somewhere.Net; refused" in refusal(path)


def test_a_network_as_pickled_before_pytorch_0_4_is_read(path):
    class Variable:
        pass

    class Thnn:
        pass

    def entries(**given):  # an OrderedDict of Python 2
        return Call(OrderedDict, [list(pair) for pair in given.items()])

    def old_tensor(shape, stride, offset):
        return Call(torch._utils._rebuild_tensor, storage(10), offset, shape, stride)

    flags = (True, False, OrderedDict())
    backend = "torch.nn.backends.thnn"
    with (
        module_named("vdsr", Net=type("Net", (), {})) as vdsr,
        module_named("torch.autograd.variable", Variable=Variable),
        module_named(backend, _get_thnn_function_backend=Thnn),
    ):
        conv = {
            "_backend": Call(Thnn),
            "_parameters": entries(
                weight=Call(nn.Parameter, old_tensor((2, 3), (3, 1), 1), state=flags),
                bias=Call(nn.Parameter, state=(old_tensor((2,), (1,), 7), None, None, True, False)),
                gain=Call(Variable, old_tensor((1,), (1,), 9), state=flags),
            ),
            "_buffers": entries(),
            "_modules": entries(),
            "training": True,
        }
        net = {
            "_parameters": entries(),
            "_buffers": entries(),
            "_modules": entries(conv=Call(nn.Conv2d, state=conv)),
        }
        pickled = dumps({"epoch": 1, "model": Call(vdsr.Net, state=net)})
    write_legacy(path, pickled, {"0": np.arange(10, dtype="<f4")})
    found = read_raw(path).tensors
    assert {key: value.tolist() for key, value in found.items()} == {
        "model.conv.weight": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
        "model.conv.bias": [7.0, 8.0],
        "model.conv.gain": [9.0],
    }


def module(children, parameters=None):
    return {"_parameters": parameters or {}, "_buffers": {}, "_modules": children}


def test_modules_that_contain_themselves_are_refused(path):
    state = module({})
    outer = Call(nn.Sequential, state=state)
    state["_modules"] = {"0": outer}
    write_zip(path, dumps(outer), {})
    assert "damaged or hostile" in refusal(path)


def test_modules_that_double_with_every_level_are_refused(path):
    inner = Call(nn.Sequential, state=module({}, {"w": tensor(storage(1), (1,), (1,))}))
    for _ in range(40):
        inner = Call(nn.Sequential, state=module({"a": inner, "b": inner}))
    write_zip(path, dumps(inner), {"0": bytes(4)})
    assert "has over 65536 entries" in refusal(path)


@pytest.mark.parametrize("inner", ["tensors", "numbers", "list"])
def test_parts_that_are_all_the_same_are_refused_before_they_are_visited(path, inner):
    one = tensor(storage(1), (1,), (1,)) if inner == "tensors" else 1
    part = Call(OrderedDict, [1] * 2000) if inner == "list" else {str(i): one for i in range(2000)}
    write_zip(path, dumps({str(i): part for i in range(2000)}), {"0": bytes(4)})
    calls = []

    def count(frame, event, argument):
        if event == "call" and frame.f_code.co_filename == statedict.__file__:
            calls.append(frame.f_code)

    sys.setprofile(count)
    try:
        assert "has over 65536 entries" in refusal(path)
    finally:
        sys.setprofile(None)
    # Several for each entry that is visited, of 65536 instead of four million.
    assert len(calls) < 8 * 65536


def test_modules_that_share_a_long_list_are_refused(path):
    parameters = Call(OrderedDict, [1] * 2000)
    children = {str(i): Call(nn.Conv2d, state=module({}, parameters)) for i in range(50)}
    write_zip(path, dumps(Call(nn.Sequential, state=module(children))), {})
    assert "has over 65536 entries" in refusal(path)


@pytest.mark.parametrize("count", [65536, 65537])
def test_as_many_weights_as_no_network_has_are_refused(path, count):
    one = tensor(storage(1), (1,), (1,))
    write_zip(path, dumps({str(i): one for i in range(count)}), {"0": bytes(4)})
    if count > 65536:
        assert "has over 65536 entries" in refusal(path)
    else:
        assert len(read_raw(path).tensors) == count


@pytest.mark.parametrize("name", ["line\nbreak", "esc\x1b[31m", "lone \ud800", "x" * 600])
def test_names_that_could_not_be_shown_are_refused(path, name):
    write_zip(path, dumps({name: tensor(storage(1), (1,), (1,))}), {"0": bytes(4)})
    message = refusal(path)
    assert "names a weight" in message
    assert len(message) < len(str(path)) + 200


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"epoch": 3},
        {"optimizer": {"state": {0: {"exp_avg": WEIGHT}}, "param_groups": [{"lr": 1e-4}]}, "epoch": 3},
        {"state": {0: {"exp_avg": WEIGHT}}, "param_groups": [{"lr": 1e-4}]},
        [WEIGHT],
        WEIGHT,
        None,
    ],
)
def test_a_file_without_weights_says_what_it_holds(path, saved):
    torch.save(saved, path)
    message = refusal(path)
    assert "holds no weights" in message
    assert all(key in message for key in (saved if isinstance(saved, dict) else ()))


def test_a_tensor_without_a_storage_is_refused(path):
    write_zip(path, dumps({"weight": tensor(None, (1,), (1,))}), {})
    assert "without a storage" in refusal(path)
    write_zip(path, dumps({"weight": Call(torch._utils._rebuild_tensor_v2)}), {})
    assert "damaged" in refusal(path)


def test_untyped_storages_are_read_in_the_type_of_the_tensor(path):
    raw = storage(8, kind=torch.UntypedStorage)
    made = Call(torch._utils._rebuild_tensor_v3, raw, 0, (2,), (1,), False, OrderedDict(), torch.float32)
    write_zip(path, dumps({"weight": made}), {"0": np.array([1, 2], "<f4").tobytes()})
    assert read_raw(path).tensors["weight"].tolist() == [1.0, 2.0]
    made.args = (raw, 1, *made.args[2:])
    write_zip(path, dumps({"weight": made}), {"0": np.array([1, 2], "<f4").tobytes()})
    assert "reaches beyond" in refusal(path)
