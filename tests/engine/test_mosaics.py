import numpy as np
import pytest
import torch

from enhance_cli.engine.mosaics import restore_mosaic
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import RestoreError
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


def test_a_full_result_of_a_bright_mosaic_is_no_shift_of_colour_and_a_dark_one_is(load):
    mosaic = Picture(thinned(np.full((24, 30, 3), 200, np.uint8), "grbg"))
    for level, accepted in ((200 / 255, True), (0.3, False)):
        net = load(lambda x, level=level: torch.full_like(x, level), task="demosaic", multiple=2)
        restorer = Restorer(net, CPU)
        if accepted:
            assert (restore_mosaic(restorer, mosaic).picture.pixels == 200).all()
        else:
            with pytest.raises(RestoreError, match="shifted in colour"):
                restore_mosaic(restorer, mosaic)
