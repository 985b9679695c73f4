"""People's own ncnn files."""

import numpy as np
import pytest

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import ModelError
from enhance_cli.runtimes.contract import UnavailableError
from enhance_cli.runtimes.ncnn import NcnnRuntime

SPEC = ArchSpec(colour="rgb", halo=20, scale=2)


@pytest.fixture
def files(shared):
    param = shared / "reference" / "community" / "realesr-animevideov3-x2.param"
    if not param.is_file():
        pytest.skip("no ncnn files in ../shared")
    return param, param.with_suffix(".bin")


def test_a_published_pair_enlarges_pictures(ncnn, files):
    ramp = np.linspace(0.1, 0.9, 40, dtype=np.float32)
    x = np.broadcast_to(ramp, (3, 30, 40))
    given = np.stack([x, 1 - x])
    y = NcnnRuntime(*files, SPEC)(given, None)
    assert y.shape == (2, 3, 60, 80)
    np.testing.assert_allclose(y.reshape(2, 3, 30, 2, 40, 2).mean((3, 5)), given, atol=0.1)


@pytest.mark.parametrize(
    "text", ["", "7767517\n", "hello\n1 1\n", "7767517\n1 1\nInput a 0\n", "7767517\n0 0\n"]
)
def test_other_files_are_refused_in_one_line(ncnn, tmp_path, text):
    param = tmp_path / "x.param"
    param.write_text(text)
    with pytest.raises(ModelError) as caught:
        NcnnRuntime(param, tmp_path / "x.bin", SPEC)
    assert "\n" not in str(caught.value)


def test_a_missing_half_is_refused(ncnn, files, tmp_path):
    with pytest.raises(ModelError, match="belong together"):
        NcnnRuntime(files[0], tmp_path / "none.bin", SPEC)
    with pytest.raises(ModelError, match="cannot read"):
        NcnnRuntime(tmp_path / "none.param", files[1], SPEC)


def test_without_ncnn_it_says_so(files):
    with pytest.raises(UnavailableError, match="ncnn cannot be loaded"):
        NcnnRuntime(*files, SPEC)
