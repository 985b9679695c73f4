import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from foreign_files import Outside, dumps, refusal, storage, tensor, write_legacy, write_zip

from enhance_cli.checkpoints.raw import read_raw

VALUES = np.arange(6, dtype="<f4")
STATE = {"weight": tensor(storage(6), (2, 3), (3, 1))}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pth"


def reads(monkeypatch):
    """Names of the entries of zip archives that are read from now on."""
    names, original = [], zipfile.ZipFile.read

    def read(archive, entry, *rest):
        names.append(getattr(entry, "filename", entry))
        return original(archive, entry, *rest)

    monkeypatch.setattr(zipfile.ZipFile, "read", read)
    return names


def save(path, legacy, **state):
    torch.save(OrderedDict(state), path, _use_new_zipfile_serialization=not legacy)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool"],
)
def test_every_type_comes_back_as_it_was_stored(path, legacy, dtype):
    values = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, dtype))
    save(path, legacy, weight=values, scalar=values[0, 1], empty=values[:0])
    found = read_raw(path).tensors
    assert {key: value.dtype for key, value in found.items()} == dict.fromkeys(found, values.dtype)
    assert torch.equal(found["weight"], values)
    assert torch.equal(found["scalar"], values[0, 1])
    assert found["empty"].shape == (0, 3)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_views_of_a_shared_storage_become_contiguous_tensors(path, legacy):
    base = torch.arange(12.0).reshape(3, 4)
    views = {"column": base[:, 1], "turned": base.T, "block": base[1:, 2:], "wide": base[:1].expand(5, 4)}
    save(path, legacy, **views)
    found = read_raw(path).tensors
    for key, view in views.items():
        assert torch.equal(found[key], view), key
        assert found[key].is_contiguous()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_every_cut_is_noticed(path, legacy):
    save(path, legacy, weight=torch.rand(4, 5), bias=torch.rand(4))
    whole = path.read_bytes()
    for length in range(1, len(whole), 7):
        path.write_bytes(whole[:length])
        refusal(path)
    path.write_bytes(whole[:-1])
    assert "download it again" in refusal(path)


def test_files_written_by_hand_are_as_pytorch_writes_them(path):
    for write, content, view in ((write_zip, VALUES.tobytes(), ()), (write_legacy, VALUES, (None,))):
        write(path, dumps({"weight": tensor(storage(6, view=view), (2, 3), (3, 1))}), {"0": content})
        assert torch.equal(torch.load(path, weights_only=True)["weight"], torch.arange(6.0).reshape(2, 3))
        assert torch.equal(read_raw(path).tensors["weight"], torch.arange(6.0).reshape(2, 3))


def test_storages_on_a_gpu_and_views_of_storages_are_read_as_before_pytorch_0_4(path):
    on_gpu = Outside("storage", torch.cuda.FloatStorage, "0", "cuda:3", 6, ("view", 2, 4))
    write_legacy(path, dumps({"weight": tensor(on_gpu, (2, 2), (2, 1))}), {"0": VALUES})
    assert read_raw(path).tensors["weight"].tolist() == [[2.0, 3.0], [4.0, 5.0]]
    write_legacy(path, dumps({"weight": tensor(on_gpu, (2, 2), (2, 1), 1)}), {"0": VALUES})
    assert "weight reaches beyond its storage" in refusal(path)


@pytest.mark.parametrize(
    ("numel", "shape", "stride", "offset", "words"),
    [
        pytest.param(6, (2, 4), (4, 1), 0, "reaches beyond its storage", id="too large"),
        pytest.param(6, (2, 3), (4, 1), 0, "reaches beyond its storage", id="stride too large"),
        pytest.param(6, (2, 3), (3, 1), 1, "reaches beyond its storage", id="offset too large"),
        pytest.param(6, (2, 3), (3, 1), 1 << 62, "reaches beyond its storage", id="offset of 2^62"),
        pytest.param(6, (2, 3), (3, 1), -1, "impossible shape, stride or offset", id="negative offset"),
        pytest.param(6, (2, 3), (-3, 1), 3, "impossible shape, stride or offset", id="negative stride"),
        pytest.param(6, (-2, 3), (3, 1), 0, "impossible shape, stride or offset", id="negative shape"),
        pytest.param(6, (1 << 64,), (0,), 0, "impossible shape, stride or offset", id="shape of 2^64"),
        pytest.param(6, (2, 3), (1,), 0, "impossible shape, stride or offset", id="stride of another length"),
        pytest.param(6, (2.0, 3), (3, 1), 0, "impossible shape, stride or offset", id="fraction"),
        pytest.param(6, "23", (3, 1), 0, "impossible shape, stride or offset", id="text"),
        pytest.param(6, (1,) * 9, (1,) * 9, 0, "impossible shape, stride or offset", id="nine axes"),
        pytest.param(6, (10**6, 10**6), (0, 0), 0, "declares over", id="10^12 elements of stride 0"),
        pytest.param(6, (0, 1 << 62), (1, 1), 0, "declares over", id="none of 2^62"),
    ],
)
def test_impossible_tensors_are_refused_before_anything_is_allocated(
    path, monkeypatch, numel, shape, stride, offset, words
):
    write_zip(path, dumps({"weight": tensor(storage(numel), shape, stride, offset)}), {"0": VALUES.tobytes()})
    read = reads(monkeypatch)
    assert words in refusal(path)
    assert "net/data/0" not in read


def test_many_tensors_of_stride_0_are_refused_together(path):
    half = tensor(storage(1), (1 << 26,), (0,))
    pickled = dumps({"a": half, "b": half, "c": tensor(storage(1), (1,), (0,))})
    write_zip(path, pickled, {"0": VALUES[:1].tobytes()})
    assert "declares over" in refusal(path)


@pytest.mark.parametrize("numel", [7, 1 << 40, 1 << 62])
def test_a_storage_larger_than_its_entry_is_refused(path, numel):
    state = {"weight": tensor(storage(numel), (2, 3), (3, 1))}
    write_zip(path, dumps(state), {"0": VALUES.tobytes()})
    assert f"should have {numel * 4} bytes but has 24" in refusal(path)
    write_legacy(path, dumps(state), {"0": VALUES})
    assert "cut off or of another size" in refusal(path)


def test_a_missing_storage_is_named(path):
    write_zip(path, dumps(STATE), {"1": VALUES.tobytes()})
    assert "lacks storage 0" in refusal(path)
    write_legacy(path, dumps(STATE), {})
    assert "lacks storage 0" in refusal(path)


def test_a_storage_key_is_no_path(path, tmp_path):
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    state = {"weight": tensor(storage(6, "../../secret"), (6,), (1,))}
    write_zip(path, dumps(state), {"0": VALUES.tobytes()})
    assert "lacks storage ../../secret" in refusal(path)


def test_types_that_no_network_has_are_named(path):
    save(path, False, weight=torch.zeros(2, dtype=torch.complex64))
    assert "ComplexFloatStorage" in refusal(path)


def test_storages_that_are_not_needed_are_not_read(path, monkeypatch):
    torch.save({"model": {"w": torch.ones(2)}, "optimizer": {"state": {0: {"m": torch.ones(3)}}}}, path)
    read = reads(monkeypatch)
    assert set(read_raw(path).tensors) == {"model.w"}
    assert len([name for name in read if "/data/" in name]) == 1


def test_compressed_archives_are_refused_before_they_are_unpacked(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", dumps(STATE))
        archive.writestr("net/data/0", bytes(10_000_000))
    assert path.stat().st_size < 20_000
    assert "compressed" in refusal(path)


def test_entries_that_share_their_bytes_are_refused(path):
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes(), "1": bytes(50_000)})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:  # a second name for the same bytes
        info = archive.getinfo("net/data/1")
        for number in range(2, 5):
            double = zipfile.ZipInfo(f"net/data/{number}")
            double.header_offset, double.CRC = info.header_offset, info.CRC
            double.file_size = double.compress_size = info.file_size
            archive.filelist.append(double)
        archive._didModify = True
    assert path.stat().st_size < 2 * len(content)
    assert "claims more than" in refusal(path)


def test_an_archive_that_begins_before_its_file_is_damage(path):
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes()})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x05\x06") + 16  # where the directory says that it lies
    content[at : at + 4] = (1 << 20).to_bytes(4, "little")
    path.write_bytes(content)
    assert "cut off or damaged" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_is_there_twice_is_refused(path):
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes()})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("net/data.pkl", dumps({}))
    assert "twice" in refusal(path)


def test_an_encrypted_archive_is_refused(path):
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes()})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(path)


def test_a_damaged_storage_is_noticed_by_its_checksum(path):
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes()})
    path.write_bytes(path.read_bytes().replace(VALUES.tobytes(), VALUES[::-1].tobytes()))
    assert "cut off or damaged" in refusal(path)


def test_archives_that_are_not_of_torch_save_are_told(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    assert "no data.pkl" in refusal(path)
    with zipfile.ZipFile(path, "w"):
        pass
    assert "no data.pkl" in refusal(path)
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes()}, **{"constants.pkl": b"", "code/net.py": b""})
    assert "TorchScript" in refusal(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_torch_jit_saves_is_called_torchscript(path):
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 3)), path)
    assert "TorchScript program; save its state_dict()" in refusal(path)


def test_the_other_byte_order_is_refused(path):
    write_zip(path, dumps(STATE), {"0": VALUES.tobytes()}, byteorder=b"big")
    assert "byte order" in refusal(path)
    write_legacy(path, dumps(STATE), {"0": VALUES}, little_endian=False)
    assert "byte order" in refusal(path)


def test_pickles_that_are_not_of_torch_save_are_told(path):
    path.write_bytes(dumps({"weight": [1.0, 2.0]}))
    assert "not of torch.save" in refusal(path)
    whole = write_legacy(path, dumps(STATE), {"0": VALUES}).read_bytes()
    path.write_bytes(whole.replace(dumps(1001), dumps(1002), 1))
    assert "unknown PyTorch version" in refusal(path)


@pytest.mark.parametrize("keys", [None, [0], ["1"], {"0": 1}])
def test_a_damaged_list_of_legacy_storages_is_refused(path, keys):
    whole = write_legacy(path, dumps(STATE), {"0": VALUES}).read_bytes()
    path.write_bytes(whole.replace(dumps(["0"]), dumps(keys), 1))
    assert "list of storages is damaged" in refusal(path)
