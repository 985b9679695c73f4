"""What is kept between runs."""

import os

import pytest
from runtime_networks import build, source

from enhance_cli.errors import WriteError
from enhance_cli.runtimes import cache, machine
from enhance_cli.runtimes.cache import Prepared, Timing
from enhance_cli.runtimes.contract import NetworkSource


def prepared(graph=b"graph"):
    return Prepared("small", build("arcnn", {"fast": True})[1], 12.5, graph)


def test_what_is_stored_comes_back():
    cache.store("k", prepared())
    assert cache.load("k") == prepared()
    cache.store("n", Prepared("small", prepared().spec, 0.0, None, "no way"))
    assert cache.load("n").problem == "no way"
    timings = {"torch float32": Timing(3.0, True), "openvino bfloat16": Timing(1.0, False)}
    cache.store_timings("k", "here", "small", timings)
    assert cache.load_timings("k", "here") == timings
    assert cache.load_timings("k", "there") == {}
    assert cache.measured_here("here") == {"small": timings}


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-1", '"fast"', "null", "1e999"])
def test_times_that_cannot_be_are_not_believed(own_cache, wrong):
    cache.store_timings("k", "here", "small", {"torch float32": Timing(3.0, True)})
    path = own_cache / "k-here.json"
    path.write_text(path.read_text().replace("3.0", wrong))
    assert cache.load_timings("k", "here") == {}


def test_other_weights_variants_and_versions_have_other_keys(monkeypatch):
    networks = [source(), source(sha256="1")]
    networks.append(NetworkSource(name="x", sha256="0" * 64, variant="sr", load=source().load))
    keys = {cache.key_of(one) for one in networks}
    monkeypatch.setattr(machine, "version_of", lambda name: "another")
    keys.add(cache.key_of(networks[0]))
    assert len(keys) == 4
    assert cache.place_of(1) != cache.place_of(2)


def test_the_cache_is_bounded_and_what_was_unused_for_longest_goes(own_cache, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST_CACHE", 10_000)
    for i in range(4):
        cache.store(f"{i}", prepared(bytes(4000)))
        for path in own_cache.glob(f"{i}.*"):
            os.utime(path, (i, i))
    (own_cache / "letter.txt").write_text("dear")
    cache.store("4", prepared(bytes(4000)))
    assert cache.load("0") is None and cache.load("4") is not None
    assert cache.size() <= 10_000
    assert (own_cache / "letter.txt").exists()


def test_a_relative_cache_folder_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "enhance" / "networks"


def test_a_folder_that_cannot_be_written_says_why(own_cache):
    assert cache.is_writable() is None
    own_cache.rmdir()
    own_cache.write_text("in the way")
    assert cache.is_writable()
    with pytest.raises(WriteError):
        cache.store("k", prepared())
