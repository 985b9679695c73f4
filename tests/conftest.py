"""Fixtures that every room's tests share."""

import importlib
import sys
from functools import cache
from pathlib import Path

import pytest
from fake_networks import loaded

from enhance_cli.runtimes import machine

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test sets and reference cases beside the checkout; skips where there is none."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no ../shared folder beside this checkout")
    return SHARED


@pytest.fixture
def load():
    """Wraps a module, or a function of tensors, as if it had come from a weights file."""
    return loaded


@pytest.fixture(autouse=True)
def hermetic(monkeypatch, tmp_path_factory):
    """No test writes into the user's cache, and none depends on what is faster here: no runtime is found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in ("ncnn", "onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(machine, "native_precisions", lambda: ())


@pytest.fixture
def ncnn(hermetic, monkeypatch):
    """The package, found again; skips where it is not installed."""
    return _found_again("ncnn", monkeypatch)


@pytest.fixture
def onnxruntime(hermetic, monkeypatch):
    """The package, found again; skips where it is not installed."""
    return _found_again("onnxruntime", monkeypatch)


@pytest.fixture
def openvino(hermetic, monkeypatch):
    """The package, found again; skips where it is not installed."""
    # Without what would tell its makers of every import.
    monkeypatch.setitem(sys.modules, "openvino.tools.ovc", None)
    return _found_again("openvino", monkeypatch)


def _found_again(name, monkeypatch):
    monkeypatch.delitem(sys.modules, name)
    module = _imported_once(name)
    if module is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setitem(sys.modules, name, module)
    return module


@cache
def _imported_once(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
