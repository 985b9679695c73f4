import builtins
import io
import os
import pickle
import subprocess
from collections import OrderedDict

import numpy as np
import pytest
import torch
from foreign_files import Call, Outside, dumps, refusal, storage, write_legacy, write_zip

from enhance_cli.checkpoints import pickles
from enhance_cli.checkpoints.pickles import Global, Made, Storage, read_pickle
from enhance_cli.errors import ModelError


def root(pickled):
    return read_pickle(io.BytesIO(pickled)).root


def calls(marker):
    """Calls that would leave a file, by the name that their pickle has for them."""
    text = f"open({str(marker)!r}, 'w').close()"
    return {
        f"{os.name}.system": Call(os.system, f"echo > {marker}"),
        "builtins.eval": Call(builtins.eval, text),
        "builtins.exec": Call(builtins.exec, text),
        "subprocess.check_call": Call(subprocess.check_call, ["touch", str(marker)]),
        "io.open": Call(open, str(marker), "w"),
    }


@pytest.mark.parametrize("name", calls("x"))
@pytest.mark.parametrize("container", ["zip", "legacy", "bare"])
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_code_in_a_pickle_is_refused_by_name_and_never_run(tmp_path, name, container):
    marker = tmp_path / "marker"
    pickled = pickle.dumps({"state_dict": OrderedDict(), "epoch": calls(marker)[name]}, 2, fix_imports=False)
    path = tmp_path / "net.pth"
    if container == "zip":
        write_zip(path, pickled, {})
    elif container == "legacy":
        write_legacy(path, pickled, {})
    else:
        path.write_bytes(pickled)
    assert f"holds a call to {name}; refused" in refusal(path)
    assert not marker.exists()
    pickle.loads(pickled)
    assert marker.exists()  # so it would have run


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"cos\nsystem\n.", id="GLOBAL"),
        pytest.param(b"\x80\x04\x8c\x02os\x8c\x06system\x93.", id="STACK_GLOBAL"),
        pytest.param(b"(S'true'\nios\nsystem\n.", id="INST"),
        pytest.param(b"(cos\nsystem\nS'true'\no.", id="OBJ"),
        pytest.param(b"\x80\x04\x8c\x08torch.nn\x8c\x09os.system\x93.", id="attribute of an allowed module"),
        pytest.param(b"ctorch\nload\n.", id="torch.load"),
        pytest.param(b"c__builtin__\ngetattr\n.", id="getattr"),
        pytest.param(b"ctorch.hub\nload\n.", id="torch.hub"),
        pytest.param(b"cos\nsys\x1b[31mtem\n.", id="escape sequence in a name"),
    ],
)
def test_a_name_that_weights_do_not_need_is_refused_however_it_is_written(pickled):
    with pytest.raises(ModelError, match=r"holds a call to .*; refused") as caught:
        root(pickled)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_values_of_all_protocols_come_out_as_they_went_in(protocol):
    values = {
        "none": None,
        "flags": [True, False],
        "numbers": (1, -300, 70000, 1 << 80, 2.5),
        "text": "käse",
        "nested": {"empty": (), "list": [[], {}], "pair": (1, 2), "triple": (1, 2, 3), "long": (1, 2, 3, 4)},
    }
    assert root(pickle.dumps(values, protocol)) == values


def test_calls_are_written_down_instead_of_made():
    made = root(dumps(Call(torch.Size, (2, 3), state={"key": 1})))
    assert isinstance(made, Made)
    assert (made.maker, made.args, made.state) == (Global("torch", "Size"), ((2, 3),), {"key": 1})


def test_entries_of_dict_classes_are_kept_and_only_text_is_a_key():
    made = root(dumps(OrderedDict({"a": 1, 2: "number", ("t",): "tuple"})))
    assert made.items == {"a": 1}
    assert root(dumps({"a": 1, 2: "number"})) == {"a": 1}


def test_numpy_values_and_settings_of_a_training_are_inert():
    made = root(dumps({"psnr": np.float64(31.5), "seed": np.arange(3)}))
    assert all(isinstance(value, Made) for value in made.values())


def test_a_storage_is_told_by_class_key_and_size():
    pickled = read_pickle(io.BytesIO(dumps([storage(6), storage(4, "1", view=(("v", 1, 2),))])))
    assert pickled.root == [Storage("FloatStorage", "0", 6, 0, 6), Storage("FloatStorage", "1", 4, 1, 2)]
    assert set(pickled.storages) == {"0", "1"}


def test_a_class_given_with_its_source_is_that_class():
    source = Outside("module", torch.nn.ReLU, "/srv/author/relu.py", "import os; os.system('true')")
    assert root(dumps(source)) == Global("torch.nn.modules.activation", "ReLU")


@pytest.mark.parametrize(
    "identity",
    [
        "storage",
        ("storage", torch.FloatStorage, "0", "cpu"),
        ("storage", torch.FloatStorage, 0, "cpu", 4),
        ("storage", torch.FloatStorage, "0", "cpu", -4),
        ("storage", torch.FloatStorage, "0", "cpu", 1 << 70),
        ("storage", torch.FloatStorage, "0", "cpu", True),
        ("storage", torch.FloatStorage, "0", "cpu", 4, ("view", 2, 3)),
        ("storage", torch.FloatStorage, "0", "cpu", 4, ("view", -1, 2)),
        ("elsewhere", "0"),
    ],
)
def test_an_impossible_storage_is_damage(identity):
    outside = Outside()
    outside.identity = identity
    with pytest.raises(ModelError, match="cut off or damaged"):
        root(dumps(outside))


def test_one_storage_of_two_sizes_is_damage():
    with pytest.raises(ModelError, match="two sizes"):
        root(dumps([storage(4), storage(5)]))


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"\x80\x02}.extra", id="bytes after the end are not its business"),
        pytest.param(b"\x80\x02]q\x00h\x00a.", id="a list in itself"),
        pytest.param(b"\x80\x02)" + b"\x85" * 200_000 + b".", id="200 000 tuples inside each other"),
        pytest.param(b"\x80\x02ctorch\nSize\nq\x00)" + b"\x85h\x00\x85\x85" * 50_000 + b".", id="calls too"),
        pytest.param(b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.", id="such a tuple as a key"),
    ],
)
def test_odd_but_harmless_pickles_are_read(pickled):
    root(pickled)


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x02}", id="no end"),
        pytest.param(b"\x80\x02.", id="nothing on the stack"),
        pytest.param(b"\x80\x02t.", id="no mark"),
        pytest.param(b"\x80\x02\x85.", id="tuple of nothing"),
        pytest.param(b"\x80\x02Na.", id="append to nothing"),
        pytest.param(b"\x80\x02NNa.", id="append to None"),
        pytest.param(b"\x80\x02NNNs.", id="entry of None"),
        pytest.param(b"\x80\x02}(Nu.", id="key without value"),
        pytest.param(b"\x80\x02h\x07.", id="memo that is not there"),
        pytest.param(b"\x80\x02Nr\xff\xff\xff\xff.", id="memo of four thousand million"),
        pytest.param(b"\x80\x02X\xff\xff\xff\x7fabc.", id="text of two thousand million"),
        pytest.param(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.", id="bytes of 2^63"),
        pytest.param(b"\x80\x02X\x02\x00\x00\x00\xff\xfe.", id="no UTF-8"),
        pytest.param(b"\x80\x02N)R.", id="call of None"),
        pytest.param(b"\x80\x02ctorch\nSize\nNR.", id="call with None"),
        pytest.param(b"\x80\x02}}b.", id="state of a dict"),
        pytest.param(b"\x80\x04NN\x93.", id="name that is no text"),
        pytest.param(b"\x80\x02\x82\x01.", id="extension registry"),
        pytest.param(b"\x80\x05\x97.", id="buffer from outside"),
        pytest.param(b"Pid\n.", id="persistent id as text"),
        pytest.param(b"\xff", id="no such instruction"),
        pytest.param(b"ctorch\nSi\\ze\n.", id="no such escape"),
        pytest.param(b"I" + b"9" * 5000 + b"\n.", id="number of 5000 digits as text"),
    ],
)
def test_damaged_pickles_are_one_clear_line(pickled):
    with pytest.raises(ModelError, match=r"cut off or damaged near byte \d+ .*; download it again"):
        root(pickled)


def test_a_pickle_longer_than_any_network_is_refused(monkeypatch):
    pickled = b"\x80\x02" + b"N" * 100 + b"."
    monkeypatch.setattr(pickles, "MAX_OPCODES", 103)
    root(b"\x80\x02" + b"N" * 100 + b".")
    monkeypatch.setattr(pickles, "MAX_OPCODES", 101)
    with pytest.raises(ModelError, match="longer than any network's"):
        root(pickled)
    monkeypatch.undo()
    monkeypatch.setattr(pickles, "MAX_PICKLE", 50)
    with pytest.raises(ModelError, match="longer than any network's"):
        root(pickled)


def test_pickles_behind_each_other_are_read_one_by_one():
    stream = io.BytesIO(dumps("first") + dumps("second") + b"rest")
    assert [read_pickle(stream).root, read_pickle(stream).root, stream.read()] == ["first", "second", b"rest"]
