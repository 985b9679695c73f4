import numpy as np
import pytest
import torch

from enhance_cli.degrade.mosaic import mosaic_batch
from enhance_cli.imaging.mosaic import thinned


@pytest.mark.parametrize(
    ("shift", "pattern"), [((0, 0), "grbg"), ((1, 0), "bggr"), ((0, 1), "rggb"), ((1, 1), "gbrg")]
)
def test_it_is_what_the_picture_reader_calls_that_pattern(shift, pattern):
    clean = np.random.default_rng(0).integers(1, 256, (6, 8, 3)).astype(np.float32)
    batch = torch.from_numpy(clean.transpose(2, 0, 1)[None])
    mosaic = mosaic_batch(batch, torch.tensor([shift]))[0].numpy().transpose(1, 2, 0)
    assert np.array_equal(mosaic, thinned(clean, pattern))


def test_each_sample_has_its_own_shift():
    mosaic = mosaic_batch(torch.ones(2, 3, 4, 4), torch.tensor([[0, 0], [1, 1]]))
    assert not torch.equal(mosaic[0], mosaic[1])
    assert (mosaic.sum(1) == 1).all()
