import builtins
import contextlib
import copyreg
import io
import os
import pickle
import subprocess
import time
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest
import torch
from foreign_files import Call, Outside, dumps, refusal, storage, tensor, write_legacy, write_zip

from enhance_cli.checkpoints.limits import MAX_PICKLE
from enhance_cli.checkpoints.pickles import Storage, Stored, Stub, read_pickle
from enhance_cli.errors import ModelError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pth"


def root(pickled):
    return read_pickle(io.BytesIO(pickled))[0]


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


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_of_all_protocols_come_out_as_they_went_in(protocol):
    values = {
        "none": None,
        "flags": [True, False],
        "numbers": (1, -300, 70000, 1 << 80, 2.5),
        "text": "käse",
        "nested": {"empty": (), "list": [[], {}], "pair": (1, 2), "triple": (1, 2, 3), "long": (1, 2, 3, 4)},
    }
    assert root(pickle.dumps(values, protocol)) == values


def test_objects_of_other_classes_are_stubs_that_keep_their_state():
    made = root(dumps(Call(torch.nn.ReLU, 1, state={"key": 1})))
    assert isinstance(made, Stub)
    assert made.state == {"key": 1}
    odd = root(dumps(Call(torch.nn.ReLU, state=(None, {"slot": 2}))))
    assert odd.state == (None, {"slot": 2})


def test_entries_of_dict_classes_are_kept_and_only_text_is_a_key():
    assert root(dumps(OrderedDict({"a": 1, 2: "number", ("t",): "tuple"}))) == {"a": 1}
    assert root(dumps({"a": 1, 2: "number"})) == {"a": 1}


def test_sets_are_lists_of_their_members():
    assert sorted(root(pickle.dumps({"a", "b"}, 4))) == ["a", "b"]
    assert root(pickle.dumps(frozenset("a"), 4)) == ["a"]
    assert root(pickle.dumps({"a"}, 2)) == ["a"]


def test_numpy_values_and_settings_of_a_training_are_inert():
    made = root(dumps({"psnr": np.float64(31.5), "seed": np.arange(3)}))
    assert all(isinstance(value, Stub) for value in made.values())


def test_a_storage_is_told_by_type_key_and_size():
    found, storages = read_pickle(io.BytesIO(dumps([storage(6), storage(4, "1", view=(("v", 1, 2),))])))
    first, second = Storage(torch.float32, "0", 6, 0, 6), Storage(torch.float32, "1", 4, 1, 2)
    assert found == [first, second]
    assert storages == {"0": first, "1": second}
    assert first.n_bytes == 24


def test_a_tensor_is_its_description():
    found = root(dumps(tensor(storage(6), (2, 2), (3, 1), 1)))
    assert found == Stored(Storage(torch.float32, "0", 6, 0, 6), torch.float32, 1, (2, 2), (3, 1))


def test_a_class_given_with_its_source_is_that_class():
    source = Outside("module", torch.nn.ReLU, "/srv/author/relu.py", "import os; os.system('true')")
    assert root(dumps(source)) is Stub


def test_nothing_that_this_process_registered_can_be_reached():
    code, made = 7, []
    copyreg.add_extension("builtins", "print", code)
    copyreg._extension_cache[code] = lambda *given: made.append(given)
    try:
        with pytest.raises(ModelError, match="cut off or damaged"):
            root(b"\x80\x02\x82\x07)R.")
    finally:
        copyreg.remove_extension("builtins", "print", code)
    assert not made


@pytest.mark.parametrize(
    "pickled",
    [
        pytest.param(
            b"\x80\x02](" + b"N" * 500_000 + b"eq\x00" + b"cbuiltins\nset\nh\x00\x85R0" * 50_000, id="set"
        ),
        pytest.param(
            b"\x80\x02](" + b"N" * 500_000 + b"eq\x00" + b"ccollections\nOrderedDict\nh\x00\x85R0" * 40_000,
            id="dict",
        ),
        pytest.param(
            b"\x80\x02(" + b"N" * 500_000 + b"tq\x00" + b"ctorch.nn\nReLU\nh\x00R0" * 50_000, id="call"
        ),
        pytest.param(b"\x80\x02(" + b"N" * 500_000 + b"tq\x00" + b"h\x00Q0" * 50_000, id="persistent id"),
        pytest.param(
            b"\x80\x02X\x08\x00\x00\x00torch.nnq\x00X\x20\xa1\x07\x00"
            + b"a" * 500_000
            + b"q\x01"
            + b"h\x00h\x01\x930" * 50_000,
            id="name",
        ),
    ],
)
def test_what_a_pickle_repeats_is_not_copied_every_time(pickled):
    before = time.process_time()
    with contextlib.suppress(ModelError):
        root(pickled + b".")
    assert time.process_time() - before < 5  # copies would take 25 thousand million steps


@pytest.mark.parametrize("opcode", [b"\x85", b"]", b"}", b"\x8f", b"N\x94", b"("])
def test_a_pickle_takes_a_bounded_multiple_of_its_size(opcode):
    pickled = b"\x80\x04)" + opcode * (MAX_PICKLE // 64 // len(opcode))
    tracemalloc.start()
    with pytest.raises(ModelError, match="cut off"):
        root(pickled)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (1 << 30) // 64


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
        pytest.param(b"\x80\x02}}b.", id="state of a dict"),
        pytest.param(b"\x80\x02Nr\xff\xff\xff\xff.", id="memo of four thousand million"),
        pytest.param(b"\x80\x02)" + b"\x85" * 200_000 + b".", id="200 000 tuples inside each other"),
        pytest.param(b"\x80\x02)" + b"q\x00ctorch.nn\nReLU\nh\x00\x85Rq\x00" * 50_000 + b".", id="calls too"),
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
        pytest.param(b"\x80\x02N}b.", id="state of nothing"),
        pytest.param(b"\x80\x02Na.", id="append to nothing"),
        pytest.param(b"\x80\x02NNa.", id="append to None"),
        pytest.param(b"\x80\x02NNNs.", id="entry of None"),
        pytest.param(b"\x80\x02}(Nu.", id="key without value"),
        pytest.param(b"\x80\x02h\x07.", id="memo that is not there"),
        pytest.param(b"\x80\x02X\xff\xff\xff\x7fabc.", id="text of two thousand million"),
        pytest.param(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.", id="bytes of 2^63"),
        pytest.param(b"\x80\x02X\x02\x00\x00\x00\xff\xfe.", id="no UTF-8"),
        pytest.param(b"\x80\x02N)R.", id="call of None"),
        pytest.param(b"\x80\x02ctorch\nSize\nNR.", id="call with None"),
        pytest.param(b"\x80\x04NN\x93.", id="name that is no text"),
        pytest.param(b"\x80\x02\x82\x01.", id="extension registry"),
        pytest.param(b"\x80\x05\x97.", id="buffer from outside"),
        pytest.param(b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00abc.", id="bytearray of 2^40"),
        pytest.param(b"(S'true'\nios\nsystem\n.", id="call of protocol 0"),
        pytest.param(
            b"\x80\x02)" + b"N" * 17 + b"ctorch\nSize\n(" + b"N" * 17 + b"tR.", id="call with 17 things"
        ),
        pytest.param(b"Pid\n.", id="persistent id as text"),
        pytest.param(b"\xff", id="no such instruction"),
        pytest.param(b"S'\\z'\n.", id="no such escape"),
        pytest.param(b"I" + b"9" * 5000 + b"\n.", id="number of 5000 digits as text"),
    ],
)
def test_damaged_pickles_are_one_clear_line(pickled):
    with pytest.raises(ModelError, match=r"cut off or damaged near byte \d+ .*; download it again"):
        root(pickled)


def test_a_pickle_longer_than_any_network_is_refused(path):
    write_zip(path, b"\x80\x02" + b"N" * MAX_PICKLE + b".", {})
    assert "longer than any network's" in refusal(path)
    whole = write_legacy(path, dumps({}), {}).read_bytes()
    path.write_bytes(whole.replace(dumps({}), b"\x80\x02" + b"N" * MAX_PICKLE + b"."))
    assert "longer than any network's" in refusal(path)


def test_pickles_behind_each_other_are_read_one_by_one():
    stream = io.BytesIO(dumps("first") + dumps("second") + b"rest")
    assert [read_pickle(stream)[0], read_pickle(stream)[0], stream.read()] == ["first", "second", b"rest"]
