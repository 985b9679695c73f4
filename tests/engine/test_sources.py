"""What identifies a network, and that nobody reads one before he must."""

from dataclasses import replace

from enhance_cli.checkpoints import reader
from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.engine.sources import from_catalog, from_loaded


def test_shipped_weights_are_read_when_they_are_asked_for(monkeypatch, load):
    read = []
    net = load(lambda x: x)
    monkeypatch.setattr(reader, "load_weights", lambda weights: read.append(weights.name) or net)
    weights = catalog()[0]
    source = from_catalog(weights)
    assert (source.name, source.sha256, read) == (weights.name, weights.sha256, [])
    assert source.load() == (net.module, net.spec)
    assert read == [weights.name]


def test_the_same_weights_are_the_same_wherever_they_come_from():
    weights = next(one for one in catalog() if one.name == "compact-sr-x2")
    ours, loaded = from_catalog(weights), from_loaded(reader.load_weights(weights))
    assert (ours.name, ours.sha256, ours.variant) == (loaded.name, loaded.sha256, loaded.variant)


def test_networks_out_of_one_foreign_file_differ(load):
    net = replace(load(lambda x: x), title="Somebody's")
    others = (
        replace(net, task="sr"),
        replace(net, chosen_for=15.0),
        replace(net, parameters={"scale": 3}),
    )
    assert len({from_loaded(one).variant for one in (net, *others)}) == 4


def test_files_of_weights_get_other_advice_than_shipped_ones(load):
    shipped = from_loaded(reader.load_weights(next(iter(catalog()))))
    assert "--model" in shipped.advice and "--weights" not in shipped.advice
    assert "--weights" in from_loaded(load(lambda x: x)).advice
