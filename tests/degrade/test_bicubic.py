import numpy as np
import torch

from enhance_cli.degrade.bicubic import enlarge_batch, modcrop, shrink, shrink_batch
from enhance_cli.imaging.resize import imresize


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_batch(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).permute(2, 0, 1)[None].float()


def test_modcrop_cuts_bottom_and_right():
    x = picture(13, 11)
    assert np.array_equal(modcrop(x, 4), x[:12, :8])


def test_batch_equals_single():
    for scale in (2, 3, 4):
        x = modcrop(picture(50, 61), scale)
        batch = shrink_batch(as_batch(x), scale)[0].permute(1, 2, 0).numpy()
        # float32 sums may fall on the other side of a half level.
        assert np.abs(batch - shrink(x, scale)).max() <= 1
        assert (batch != shrink(x, scale)).mean() < 1e-3


def test_enlarge_batch_equals_single():
    x = picture(9, 14).astype(np.float32)
    batch = enlarge_batch(as_batch(x), 3)[0].permute(1, 2, 0).numpy()
    assert np.allclose(batch, imresize(x, (27, 42)), atol=1e-3)
