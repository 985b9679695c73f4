import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

import enhance_cli
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.store import path_of, sha256_of, verify, weights_folder
from enhance_cli.errors import ModelError


@pytest.fixture
def weights(folder, write_catalog, table):
    data = b"not really weights"
    (folder / "small.safetensors").write_bytes(data)
    write_catalog(table(sha256=f'"{hashlib.sha256(data).hexdigest()}"'))
    return find("small")


def test_hash_of_a_file_of_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CHUNK", 7)
    (tmp_path / "x").write_bytes(b"0123456789" * 3)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(b"0123456789" * 3).hexdigest()
    with pytest.raises(ModelError, match="cannot read"):
        sha256_of(tmp_path / "y")


def test_an_unaltered_file_is_found_and_hashed_once(weights, folder, monkeypatch):
    assert path_of(weights) == folder / "small.safetensors"
    monkeypatch.setattr(store, "sha256_of", lambda path: pytest.fail("hashed again"))
    assert path_of(weights) == folder / "small.safetensors"


def test_altered_and_missing_files_are_refused(weights, folder):
    path_of(weights)
    (folder / "small.safetensors").write_bytes(b"not really weightz")
    with pytest.raises(ModelError, match="the catalog says") as caught:
        verify(weights)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="cannot read"):
        path_of(replace(weights, file="gone.safetensors"))


def test_the_folder_lies_in_the_package_when_installed_and_beside_it_in_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "enhance_cli"
    (package / "weights").mkdir(parents=True)
    monkeypatch.setattr(enhance_cli, "__file__", str(package / "__init__.py"))
    assert weights_folder() == tmp_path / "weights"
    (package / "weights" / store.CATALOG_NAME).touch()
    assert weights_folder() == package / "weights"


def test_a_checkout_finds_its_own_weights():
    root = Path(enhance_cli.__file__).resolve().parents[1]
    assert weights_folder() in (root / "weights", root / "enhance_cli" / "weights")
