"""Finds weights files and checks that they are what the catalog says.  No torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import enhance_cli
from enhance_cli.errors import ModelError

if TYPE_CHECKING:  # the catalog asks this module where it lies
    from enhance_cli.checkpoints.catalog import Weights

CATALOG_NAME = "catalog.toml"
CHUNK = 1 << 20


def weights_folder() -> Path:
    """Where the shipped weights lie: inside the installed package, else beside it in a checkout."""
    package = Path(enhance_cli.__file__).resolve().parent
    installed = package / "weights"
    return installed if (installed / CATALOG_NAME).is_file() else package.parent / "weights"


def path_of(weights: Weights) -> Path:
    """Path of the weights file, verified once per process; ModelError if missing or altered."""
    path = weights_folder() / weights.file
    _check_once(path, weights.name, weights.sha256)
    return path


def verify(weights: Weights) -> None:
    """Hash the file again, whatever was found before; ModelError if missing or altered."""
    _check(weights_folder() / weights.file, weights.name, weights.sha256)


def sha256_of(path: Path) -> str:
    """SHA-256 of a weights file as lower-case hex; ModelError if it cannot be read."""
    try:
        return digest_of(path)
    except OSError as error:
        raise ModelError(f"cannot read weights file {path}: {error.strerror}; check the path") from error


def digest_of(path: Path) -> str:
    """SHA-256 of any file as lower-case hex, read in pieces; OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _check(path: Path, name: str, expected: str) -> None:
    found = sha256_of(path)
    if found != expected:
        raise ModelError(
            f"weights {name}: {path} has sha256 {found[:12]}..., the catalog says {expected[:12]}...; "
            "reinstall the package"
        )


_check_once = cache(_check)
