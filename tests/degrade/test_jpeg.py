import cv2
import numpy as np
import pytest
import torch
from skimage import data

from enhance_cli.degrade.jpeg import LUMA_TABLE, compress, compress_batch, quantisation


def batch(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).permute(2, 0, 1)[None].float()


def pictures() -> dict[str, np.ndarray]:
    colour = data.astronaut()[:256, :320]
    return {"rgb": colour, "gray": cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)[..., None]}


def test_quantisation_of_quality_50_is_the_standard_table():
    assert torch.equal(
        quantisation(LUMA_TABLE, torch.tensor([50])).squeeze(), torch.tensor(LUMA_TABLE).float()
    )


@pytest.mark.parametrize("quality", [5, 10, 30, 50, 75, 95])
@pytest.mark.parametrize("kind", ["gray", "rgb"])
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_batch_agrees_with_libjpeg(kind, quality, subsampling):
    x = pictures()[kind]
    ours = compress_batch(batch(x), torch.tensor([quality]), subsample=subsampling == "4:2:0")
    difference = np.abs(ours[0].permute(1, 2, 0).numpy() - compress(x, quality, subsampling))
    assert difference.mean() < 0.5
    assert (difference > 4).mean() < 0.01


def test_each_sample_has_its_own_quality():
    x = batch(pictures()["gray"]).repeat(2, 1, 1, 1)
    coarse, fine = compress_batch(x, torch.tensor([5, 95]))
    assert (coarse - x[0]).square().mean() > 10 * (fine - x[1]).square().mean()


def test_single_gray_stays_gray():
    x = pictures()["gray"]
    assert compress(x, 40).shape == x.shape
