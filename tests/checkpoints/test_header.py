import json
import subprocess
import sys

import pytest
import safetensors.torch
import torch

from enhance_cli.checkpoints.header import header_of, read_header
from enhance_cli.errors import ModelError

METADATA = {"arch": "dncnn", "parameters": '{"n_layers": 3}', "task": "denoise"}


def write(path, **changes):
    metadata = {key: text for key, text in {**METADATA, **changes}.items() if text is not None}
    safetensors.torch.save_file({"w": torch.ones(2)}, path, metadata=metadata)
    return path


def test_a_file_of_ours_tells_what_it_holds(saved):
    header = read_header(saved)
    assert (header.arch, header.tasks, header.licence) == ("dncnn", ("denoise",), "MIT")
    assert header.parameters["n_layers"] == 3
    assert (header.chosen_for, header.condition_range) == (None, None)
    assert header.metadata["data"] == "random"


def test_everything_that_may_be_said_is_read(tmp_path):
    header = read_header(
        write(tmp_path / "x", tasks="sr denoise", chosen_for="15", condition_range="[0, 50]", licence="MIT")
    )
    assert header.tasks == ("denoise", "sr")
    assert (header.chosen_for, header.condition_range) == (15.0, (0.0, 50.0))


@pytest.mark.parametrize("text", ["", "[1]", "5", "{", "[1, 2, 3]", '["a", "b"]', "[" * 100_000])
def test_an_odd_range_is_none(text):
    assert header_of({**METADATA, "condition_range": text}).condition_range is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"arch": None}, "no metadata 'arch'"),
        ({"task": "paint"}, "unknown task 'paint'"),
        ({"tasks": "paint"}, "unknown task 'paint'"),
        ({"parameters": "{"}, "not JSON"),
        ({"parameters": json.dumps({"n_feats": 1e9})}, "beyond any network"),
        ({"chosen_for": "loud"}, "no number: loud"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_path(tmp_path, changes, told):
    with pytest.raises(ModelError, match=told) as caught:
        read_header(write(tmp_path / "x.safetensors", **changes))
    assert "x.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_are_one_line(tmp_path):
    (tmp_path / "x").write_bytes(b"PK\x03\x04 a pickle")
    for path in (tmp_path / "x", tmp_path / "missing"):
        with pytest.raises(ModelError, match="not a readable safetensors file"):
            read_header(path)


def test_no_torch_is_needed_to_name_hash_and_describe_weights(saved):
    code = f"""
import sys
from pathlib import Path
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints import catalog, header, store, wanted
found = header.read_header(Path({str(saved)!r}))
store.sha256_of(Path({str(saved)!r}))
assert found.arch == "dncnn" and catalog.catalog()
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
