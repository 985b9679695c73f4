"""Fixtures that every room's tests share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test sets and reference cases beside the checkout; skips where there is none."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no ../shared folder beside this checkout")
    return SHARED
