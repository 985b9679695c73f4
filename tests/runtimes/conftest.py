"""Fixtures of the runtimes."""

import pytest

from enhance_cli.runtimes import cache, measure


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """A cache folder for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return cache.folder()


@pytest.fixture
def times(monkeypatch):
    """`times(**{"torch float32": 9, ...})` are the milliseconds that comparisons find; counts those."""
    found = []

    def set_to(**milliseconds):
        milliseconds = {label.replace("_", " "): value for label, value in milliseconds.items()}

        def measured(runtimes, spec, threads):
            found.append(tuple(runtimes))
            return {label: milliseconds.get(label, 50.0) for label in runtimes}

        monkeypatch.setattr(measure, "milliseconds", measured)
        return found

    return set_to
