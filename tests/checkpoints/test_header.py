import json
import subprocess
import sys

import pytest
from safetensors import safe_open

from enhance_cli.checkpoints.header import header_of
from enhance_cli.errors import ModelError

METADATA = {"arch": "dncnn", "parameters": '{"n_layers": 3}', "task": "denoise"}


def test_a_file_of_ours_tells_what_it_holds(saved):
    with safe_open(saved, framework="np") as file:
        header = header_of(file.metadata())
    assert (header.arch, header.tasks, header.licence) == ("dncnn", ("denoise",), "MIT")
    assert header.parameters["n_layers"] == 3
    assert (header.chosen_for, header.condition_range) == (None, None)
    assert header.metadata["data"] == "random"


def test_everything_that_may_be_said_is_read():
    said = {"tasks": "sr denoise", "chosen_for": "15", "condition_range": "[0, 50]", "licence": "MIT"}
    header = header_of({**METADATA, **said})
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
def test_what_is_wrong_is_one_line(changes, told):
    metadata = {key: text for key, text in {**METADATA, **changes}.items() if text is not None}
    with pytest.raises(ModelError, match=told) as caught:
        header_of(metadata)
    assert "\n" not in str(caught.value)


def test_no_torch_is_needed_to_name_hash_and_describe_weights(saved):
    code = f"""
import sys
from pathlib import Path
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints import catalog, header, store, wanted
found = header.header_of({METADATA!r})
store.sha256_of(Path({str(saved)!r}))
assert found.arch == "dncnn" and catalog.catalog()
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
