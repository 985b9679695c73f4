"""Fixtures of the runtimes that may stand in for torch."""

import pytest

from enhance_cli.engine.backends.candidates import CANDIDATES


@pytest.fixture(params=CANDIDATES, ids=lambda one: one.name)
def candidate(request):
    """Each runtime in turn, its package found again; skips where it is not installed."""
    request.getfixturevalue(request.param.name)
    return request.param
