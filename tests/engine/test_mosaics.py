import numpy as np
import torch

from enhance_cli.engine.mosaics import restore_mosaic
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.imaging.mosaic import thinned
from enhance_cli.imaging.picture import Metadata, Picture

CPU = EngineSettings(device="cpu")


def test_a_network_sees_its_pattern_whatever_the_pictures_is_and_the_size_stays(load):
    seen = []

    def network(x):
        if x.device.type != "meta":
            seen.append(x)
        return x + 0.25

    mosaic = thinned(np.full((37, 45, 3), 100, np.uint8), "rggb")
    alpha = np.zeros((37, 45), np.uint8)
    picture = Picture(mosaic, alpha=alpha, metadata=Metadata(dpi=(72, 72)))
    made = restore_mosaic(Restorer(load(network, multiple=2), CPU), picture).picture
    assert np.array_equal(made.pixels, mosaic + 64)
    assert made.alpha is alpha
    assert made.metadata.dpi == (72, 72)
    (x,) = seen
    assert x.shape[2] % 2 == x.shape[3] % 2 == 0
    green, red, blue = x[0, 1, ::2, ::2], x[0, 0, ::2, 1::2], x[0, 2, 1::2, ::2]
    for samples in (green, red, blue, x[0, 1, 1::2, 1::2]):
        torch.testing.assert_close(samples, torch.full_like(samples, 100 / 255))
