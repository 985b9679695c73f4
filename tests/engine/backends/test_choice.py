import importlib
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
from enhance_cli.engine.backends import candidates, choice, compare, ncnn_net, verdicts
from enhance_cli.engine.backends.candidates import Candidate
from enhance_cli.engine.backends.graph import Graph, Layer, Unsupported
from enhance_cli.engine.backends.verdicts import Verdict
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import Room
from enhance_cli.errors import DeviceError, RestoreError
from enhance_cli.imaging.picture import Picture

AUTO = EngineSettings(device="cpu")
WITH_NCNN = replace(AUTO, backend="ncnn")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "enhance" / "backends"


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
    monkeypatch.setattr(candidates, "room", lambda *_: Room(64**2, 64**2))
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
        taken(network(), WITH_NCNN)


def test_auto_without_ncnn_is_torch_without_a_word():
    assert taken(network()) == ("torch", ())


def test_ncnn_that_is_not_installed_is_an_error_that_says_what_to_install():
    with pytest.raises(DeviceError, match=r"pip install 'enhance-cli\[fast\]'"):
        taken(network(), WITH_NCNN)


def test_a_network_that_cannot_be_converted_stays_with_torch_without_a_word(ncnn):
    net = network("memnet", n_feats=4, n_blocks=1, n_units=1)
    assert taken(net) == ("torch", ())
    with pytest.raises(DeviceError, match=r"small.*unsqueeze.*--backend torch") as caught:
        taken(net, WITH_NCNN)
    assert "\n" not in str(caught.value)


def test_an_ncnn_that_cannot_be_loaded_counts_as_not_fitting(ncnn, monkeypatch):
    monkeypatch.setattr(Candidate, "installed", lambda self: True)
    monkeypatch.setitem(sys.modules, "ncnn", None)
    assert taken(network()) == ("torch", ())


def test_a_folder_called_ncnn_is_not_taken_for_it(monkeypatch, tmp_path):
    (tmp_path / "ncnn").mkdir()
    monkeypatch.delitem(sys.modules, "ncnn")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert taken(network()) == ("torch", ())
    with pytest.raises(DeviceError, match="something else called ncnn"):
        taken(network(), WITH_NCNN)


@pytest.mark.parametrize("name", ["ncnn", "openvino"])
@pytest.mark.parametrize("text", ["import numpy", "1 / 0", "not python"])
def test_a_program_of_a_runtimes_name_is_not_taken_for_it(monkeypatch, tmp_path, name, text):
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    assert taken(network()) == ("torch", ())
    with pytest.raises(DeviceError, match=f"something else called {name}|cannot be loaded"):
        taken(network(), replace(AUTO, backend=name))


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
        taken(network(), WITH_NCNN)


@pytest.mark.parametrize("settings", [{"backend": "torch"}, {"precision": "bfloat16"}])
def test_what_was_asked_for_otherwise_is_torch(ncnn, verdict, settings):
    verdict(0, 9.0)
    assert taken(network(), replace(AUTO, **settings)) == ("torch", ())


def test_ncnn_in_a_reduced_precision_is_refused(ncnn):
    with pytest.raises(DeviceError, match="bfloat16"):
        taken(network(), replace(WITH_NCNN, precision="bfloat16"))


def test_ncnn_that_was_asked_for_is_taken_however_slow_and_is_not_timed(ncnn, verdict, own_cache):
    found = verdict(0, 0.1)
    assert taken(network(), WITH_NCNN) == ("ncnn", ())
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
    assert verdicts._folder() == tmp_path / ".cache" / "enhance" / "backends"


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


def test_what_fails_on_large_pictures_alone_counts_as_infinitely_different_and_is_not_timed(monkeypatch):
    monkeypatch.setattr(compare, "_largest_side", lambda *_: 2 * compare.SMALL)

    def fails(x, condition):
        if x.shape[2] > compare.SMALL:
            raise RestoreError("ncnn failed with code -1")
        return x

    found = compare.compare(lambda x, _: x, fails, ArchSpec(colour="gray", halo=1))
    assert found == Verdict(float("inf"), 0.0)


def test_a_difference_that_only_large_pictures_show_counts(monkeypatch):
    monkeypatch.setattr(compare, "LARGE", 2 * compare.SMALL)

    def off(x, condition):
        return x + 0.25 * (x.shape[2] > compare.SMALL)

    found = compare.compare(lambda x, _: x, off, ArchSpec(colour="gray", halo=1))
    assert found.difference == pytest.approx(0.25)


@pytest.mark.parametrize("size", [(37, 51), (8, 8), (1, 1), (150, 90)])
@pytest.mark.parametrize("more", [{}, {"tile": 48}, {"ensemble": True}])
def test_pictures_come_out_as_with_torch(candidate, size, more):
    net = network()
    pixels = np.random.default_rng(0).integers(10_000, 50_000, (*size, 3), dtype=np.uint16)

    def restored(backend):
        settings = replace(AUTO, backend=backend, **more)
        return Restorer(net, settings).restore(Picture(pixels), condition=30)

    torchs, others = restored("torch"), restored(candidate.name)
    assert others.tiles == torchs.tiles
    assert np.abs(others.picture.pixels.astype(int) - torchs.picture.pixels).max() <= 1


def test_memory_that_runs_out_inside_ncnn_makes_tiles_smaller(ncnn, monkeypatch):
    restorer = Restorer(network(), WITH_NCNN)
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


class Fake:
    """A runtime of which comparisons find what they are told."""

    def __init__(self, name, gain=1.0, difference=0.0, refuses=False, version="1"):
        self.name, self.gain, self.difference, self.refuses = name, gain, difference, refuses
        self.version, self.converted, self.pays = (lambda: version), 0, 1.2

    def installed(self):
        return True

    def room(self, graph):
        return Room(1 << 20, 1 << 20)

    def convert(self, graph):
        if self.refuses:
            raise Unsupported("a bad day")
        self.converted += 1
        return self


@pytest.fixture
def there(monkeypatch):
    """`there(fake, ...)` are the runtimes from then on."""
    monkeypatch.setattr(compare, "compare", lambda eager, one, spec: Verdict(one.difference, one.gain))
    return lambda *fakes: monkeypatch.setattr(choice, "CANDIDATES", fakes)


def test_the_fastest_of_several_is_taken_and_all_are_named(there):
    there(Fake("steam", 2.0), Fake("diesel", 3.0), Fake("horse", 0.5))
    assert taken(network()) == (
        "diesel",
        (
            "backend auto: diesel (small takes torch 3.00 times as long as diesel, "
            "2.00 times as long as steam, 0.50 times as long as horse)",
        ),
    )


def test_one_that_disagrees_does_not_win_and_the_next_does(there):
    there(Fake("steam", 2.0), Fake("diesel", 3.0, difference=2e-3))
    backend, (note,) = taken(network())
    assert backend == "steam"
    assert note.endswith("as long as steam; not diesel, because its result for model small is off by 0.002)")


def test_one_that_refuses_a_network_is_passed_over_without_a_word(there):
    there(Fake("steam", 2.0), Fake("diesel", 3.0, refuses=True))
    backend, (note,) = taken(network())
    assert backend == "steam"
    assert "diesel" not in note


def test_one_that_refuses_what_it_took_before_is_passed_over(there):
    steam, diesel = Fake("steam", 2.0), Fake("diesel", 3.0)
    there(steam, diesel)
    net = network()
    assert taken(net)[0] == "diesel"
    diesel.refuses = True
    assert taken(net)[0] == "steam"


@pytest.mark.parametrize("error", [MemoryError(), TypeError("wrong\narguments"), RestoreError("code -1")])
def test_whatever_fails_in_a_comparison_is_passed_over_and_tried_again(there, monkeypatch, error):
    steam, diesel = Fake("steam", 2.0), Fake("diesel", 3.0)
    there(steam, diesel)

    def compared(eager, one, spec):
        if one is diesel:
            raise error
        return Verdict(0.0, 2.0)

    net = network()
    with monkeypatch.context() as patch:
        patch.setattr(compare, "compare", compared)
        backend, (note,) = taken(net)
    assert backend == "steam"
    assert "not diesel, which failed: " in note and "\n" not in note
    assert taken(net)[0] == "diesel"


def test_memory_that_runs_out_when_the_fastest_is_converted_leaves_the_next(there, monkeypatch):
    steam, diesel = Fake("steam", 2.0), Fake("diesel", 3.0)
    there(steam, diesel)
    net = network()
    taken(net)

    def fails(graph):
        raise MemoryError

    monkeypatch.setattr(diesel, "convert", fails)
    assert taken(net)[0] == "steam"


def test_what_is_known_to_be_slower_is_not_even_converted(there):
    steam, diesel = Fake("steam", 2.0), Fake("diesel", 3.0)
    there(steam, diesel)
    net = network()
    taken(net)
    steam.converted = diesel.converted = 0
    taken(net)
    assert (steam.converted, diesel.converted) == (0, 1)


def test_a_gain_too_small_to_rely_on_leaves_torch(there):
    there(Fake("steam", 1.19))
    assert taken(network())[0] == "torch"
    there(Fake("steam", 1.2, version="2"))
    assert taken(network())[0] == "steam"


def test_verdicts_are_known_by_backend_version_options_and_weights():
    def key(backend="steam", version="1", option=3, weight=1.0):
        layer = Layer("Convolution", (0,), 2, {1: option}, (torch.full((2, 2), weight),))
        return verdicts.key_of(Graph((layer,), 2, 1), backend, version)

    others = [key(), key("diesel"), key(version="2"), key(option=4), key(weight=1.5)]
    assert len(set(others)) == 5
    assert key() == key()
