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
    rows, columns = np.mgrid[:24, :30].astype(np.float32)
    x = np.stack([0.5 + 0.3 * np.sin(rows / 5 + i) * np.cos(columns / 7) for i in range(3)])
    y = NcnnRuntime(*files, SPEC)(np.stack([x, 1 - x]), None)
    assert y.shape == (2, 3, 48, 60)
    small = y.reshape(2, 3, 24, 2, 30, 2).mean((3, 5))
    assert np.abs(small[0] - x).mean() < 0.02
    assert np.abs(small[1] - (1 - x)).mean() < 0.02


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
