import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine.backends import choice, compare, ncnn_net, verdicts
from enhance_cli.engine.backends.ncnn_model import Model
from enhance_cli.engine.backends.verdicts import Verdict
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import DeviceError, RestoreError
from enhance_cli.imaging.picture import Picture

AUTO = EngineSettings(device="cpu")
NCNN = replace(AUTO, backend="ncnn")
MODEL = Model("param", b"weights")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "enhance" / "ncnn"


@pytest.fixture
def verdict(monkeypatch):
    """`verdict(difference, gain)` is what every timed comparison finds from then on; counts them."""
    found = []

    def set_to(difference, gain):
        def compared(*arguments):
            found.append(1)
            return Verdict(difference, gain)

        monkeypatch.setattr(compare, "compare", compared)
        return found

    return set_to


def network(name="unet", **parameters) -> LoadedNet:
    parameters = parameters or {"n_feats": 4, "n_blocks": 1, "condition": "sigma"}
    entry = ARCHITECTURES[name]
    module = entry.build(**parameters).eval().requires_grad_(False)
    spec = entry.spec(**parameters)
    return LoadedNet(module, spec, "small", name, parameters, "denoise", "0" * 64, None, {})


def taken(net, settings=AUTO):
    runtime = Restorer(net, settings).runtime
    return runtime.backend, runtime.notes


def test_auto_takes_ncnn_where_it_agrees_and_is_faster_and_says_so(ncnn, verdict):
    verdict(1e-6, 2.0)
    backend, notes = taken(network())
    assert backend == "ncnn"
    assert notes == ("backend auto: ncnn (small takes torch 2.00 times as long as ncnn)",)


def test_auto_keeps_torch_where_ncnn_is_no_faster_and_says_so(ncnn, verdict):
    verdict(1e-6, 0.7)
    backend, (note,) = taken(network())
    assert backend == "torch"
    assert "0.70 times" in note


def test_narrow_tiles_count_against_ncnn(ncnn, verdict, monkeypatch):
    verdict(1e-6, 1.5)
    assert taken(network())[0] == "ncnn"
    monkeypatch.setattr(choice.NcnnBackend, "room", lambda self, wanted: 64**2)
    backend, (note,) = taken(network())
    assert backend == "torch"
    assert "1.50" not in note


def test_a_network_that_disagrees_is_thrown_away_and_said_so(ncnn, verdict, monkeypatch):
    verdict(2e-3, 9.0)
    backend, (note,) = taken(network())
    assert backend == "torch"
    assert "off by 0.002" in note
    monkeypatch.setattr(compare, "difference", lambda *_: 2e-3)
    with pytest.raises(DeviceError, match=r"off by 0\.002"):
        taken(network(), NCNN)


def test_auto_without_ncnn_is_torch_without_a_word():
    assert taken(network()) == ("torch", ())


def test_ncnn_that_is_not_installed_is_an_error_that_says_what_to_install():
    with pytest.raises(DeviceError, match=r"pip install 'enhance-cli\[fast\]'"):
        taken(network(), NCNN)


def test_a_network_that_cannot_be_converted_stays_with_torch_without_a_word(ncnn):
    net = network("memnet", n_feats=4, n_blocks=1, n_units=1)
    assert taken(net) == ("torch", ())
    with pytest.raises(DeviceError, match=r"small.*unsqueeze.*--backend torch") as caught:
        taken(net, NCNN)
    assert "\n" not in str(caught.value)


def test_an_ncnn_that_cannot_be_loaded_counts_as_not_fitting(ncnn, monkeypatch):
    monkeypatch.setattr(choice, "installed", lambda: True)
    monkeypatch.setitem(sys.modules, "ncnn", None)
    assert taken(network()) == ("torch", ())


def test_a_folder_called_ncnn_is_not_taken_for_it(monkeypatch, tmp_path):
    (tmp_path / "ncnn").mkdir()
    monkeypatch.delitem(sys.modules, "ncnn")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert taken(network()) == ("torch", ())
    with pytest.raises(DeviceError, match="something else called ncnn"):
        taken(network(), NCNN)


def test_an_ncnn_without_metadata_serves(ncnn, verdict, monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    verdict(1e-6, 2.0)
    assert taken(network())[0] == "ncnn"


def test_a_machine_without_a_temporary_folder_stays_with_torch(ncnn, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ncnn_net.tempfile, "TemporaryDirectory", full)
    assert taken(network()) == ("torch", ())
    with pytest.raises(DeviceError, match="No space left"):
        taken(network(), NCNN)


@pytest.mark.parametrize("settings", [{"backend": "torch"}, {"precision": "bfloat16"}])
def test_what_was_asked_for_otherwise_is_torch(ncnn, verdict, settings):
    verdict(0, 9.0)
    assert taken(network(), replace(AUTO, **settings)) == ("torch", ())


def test_ncnn_in_a_reduced_precision_is_refused(ncnn):
    with pytest.raises(DeviceError, match="bfloat16"):
        taken(network(), replace(NCNN, precision="bfloat16"))


def test_ncnn_that_was_asked_for_is_taken_however_slow_and_is_not_timed(ncnn, verdict, own_cache):
    found = verdict(0, 0.1)
    assert taken(network(), NCNN) == ("ncnn", ())
    assert not found
    assert not own_cache.exists()


def test_the_comparison_is_made_once(ncnn, verdict, own_cache):
    found = verdict(1e-6, 2.0)
    net = network()
    assert taken(net) == taken(net)
    assert len(found) == 1
    taken(network())  # other weights by chance
    assert len(found) == 2
    torch.set_num_threads(2)
    taken(net)
    assert len(found) == 3
    assert len(list(own_cache.iterdir())) == 3


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"{", b"\xff", b"[]", b"3", b'{"difference": 0, "gain": 9}', b"[" * 100_000],
    ids=lambda rubbish: repr(rubbish[:12]),
)
def test_a_broken_entry_is_made_again(ncnn, verdict, own_cache, rubbish):
    found = verdict(1e-6, 2.0)
    net = network()
    taken(net)
    (entry,) = own_cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(rubbish)
    assert taken(net)[0] == "ncnn"
    assert (len(found), entry.read_bytes()) == (2, whole)


@pytest.mark.parametrize(
    "wrong", [{"key": "other"}, {"gain": float("nan")}, {"gain": 10**400}, {"difference": None}]
)
def test_an_entry_that_was_tampered_with_is_not_believed(wrong):
    verdicts.store("mine", Verdict(0.0, 2.0))
    path = verdicts._folder() / "mine.json"
    assert verdicts.load("mine") == Verdict(0.0, 2.0)
    path.write_text(json.dumps({**json.loads(path.read_text()), **wrong}))
    assert verdicts.load("mine") is None


def test_the_cache_is_bounded_and_the_oldest_go(own_cache, monkeypatch):
    monkeypatch.setattr(verdicts, "MOST", 3)
    for i in range(6):
        verdicts.store(f"{i}", Verdict(0.0, 1.0))
        os.utime(own_cache / f"{i}.json", (i, i))
    verdicts.store("6", Verdict(0.0, 1.0))
    assert {path.name for path in own_cache.iterdir()} == {"4.json", "5.json", "6.json"}


def test_a_verdict_is_not_believed_for_ever(own_cache):
    verdicts.store("mine", Verdict(0.0, 2.0))
    path = own_cache / "mine.json"
    written = path.stat().st_mtime
    for age, known in ((verdicts.VALID - 60, True), (verdicts.VALID + 60, False), (-3600, False)):
        os.utime(path, (written - age, written - age))
        assert (verdicts.load("mine") is not None) == known


def test_files_of_others_are_left_alone(own_cache, monkeypatch):
    monkeypatch.setattr(verdicts, "MOST", 0)
    own_cache.mkdir(parents=True)
    (own_cache / "letter.txt").write_text("dear")
    verdicts.store("mine", Verdict(0.0, 2.0))
    assert [path.name for path in own_cache.iterdir()] == ["letter.txt"]


def test_many_may_write_at_once(own_cache, monkeypatch):
    monkeypatch.setattr(verdicts, "MOST", 4)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: verdicts.store(f"{i % 6}", Verdict(0.0, float(i))), range(60)))
    entries = list(own_cache.iterdir())
    assert 0 < len(entries) <= 4
    assert all(verdicts.load(path.stem) for path in entries)


def test_a_cache_that_cannot_be_written_does_no_harm(ncnn, verdict, own_cache):
    own_cache.parent.parent.joinpath("enhance").write_text("in the way")
    found = verdict(1e-6, 2.0)
    assert [taken(network())[0] for _ in range(2)] == ["ncnn", "ncnn"]
    assert len(found) == 2


def test_users_without_a_home_folder_are_served_without_a_cache(ncnn, verdict, monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(verdicts.Path, "home", homeless)
    verdict(1e-6, 2.0)
    assert taken(network())[0] == "ncnn"


def test_a_relative_cache_folder_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert verdicts._folder() == tmp_path / ".cache" / "enhance" / "ncnn"


def test_a_real_comparison_tells_difference_and_speed(monkeypatch):
    monkeypatch.setattr(compare, "LARGE", compare.SMALL)
    spec = ArchSpec(colour="gray", halo=1)

    def same(x, condition):
        return x

    def off(x, condition):
        for _ in range(300):
            x = x * 1.0
        return x + 0.25

    found = compare.compare(same, off, spec)
    assert found.difference == pytest.approx(0.25)
    assert found.gain < 0.5


def test_what_cannot_be_compared_counts_as_infinitely_different():
    spec = ArchSpec(colour="gray", halo=1)

    def same(x, condition):
        return x

    def nothing(x, condition):
        return x * float("nan")

    def cut(x, condition):
        return x[..., 1:]

    def fails(x, condition):
        raise RestoreError("ncnn failed with code -1")

    assert compare.difference(same, nothing, spec) == float("inf")
    assert compare.difference(nothing, same, spec) == float("inf")
    assert compare.difference(same, cut, spec) == float("inf")
    assert compare.compare(same, fails, spec) == Verdict(float("inf"), 0.0)


def test_a_difference_that_only_large_pictures_show_counts(monkeypatch):
    monkeypatch.setattr(compare, "LARGE", 2 * compare.SMALL)

    def off(x, condition):
        return x + 0.25 * (x.shape[2] > compare.SMALL)

    found = compare.compare(lambda x, _: x, off, ArchSpec(colour="gray", halo=1))
    assert found.difference == pytest.approx(0.25)


@pytest.mark.parametrize("size", [(37, 51), (8, 8), (1, 1), (150, 90)])
@pytest.mark.parametrize("more", [{}, {"tile": 48}, {"ensemble": True}])
def test_pictures_come_out_as_with_torch(ncnn, size, more):
    net = network()
    pixels = np.random.default_rng(0).integers(10_000, 50_000, (*size, 3), dtype=np.uint16)

    def restored(backend):
        settings = replace(AUTO, backend=backend, **more)
        return Restorer(net, settings).restore(Picture(pixels), condition=30)

    torchs, ncnns = restored("torch"), restored("ncnn")
    assert ncnns.tiles == torchs.tiles
    assert np.abs(ncnns.picture.pixels.astype(int) - torchs.picture.pixels).max() <= 1


def test_memory_that_runs_out_inside_ncnn_makes_tiles_smaller(ncnn, monkeypatch):
    restorer = Restorer(network(), NCNN)
    (net,) = restorer._runner._backend._body._nets.values()
    run = net._net.create_extractor

    class Small:
        def __init__(self):
            self.inner = run()

        def input(self, name, mat):
            self.large = getattr(self, "large", False) or mat.w > 600
            return self.inner.input(name, mat)

        def set_blob_allocator(self, pool):
            self.inner.set_blob_allocator(pool)

        def set_workspace_allocator(self, pool):
            self.inner.set_workspace_allocator(pool)

        def extract(self, name):
            return (ncnn_net.OUT_OF_MEMORY, None) if self.large else self.inner.extract(name)

    class Net:
        create_extractor = Small

    monkeypatch.setattr(net, "_net", Net())
    restored = restorer.restore(Picture(np.full((64, 700, 3), 90, np.uint8)), condition=30)
    assert restored.tiles > 1
    assert "out of memory" in restored.warnings[0]
