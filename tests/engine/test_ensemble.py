import cv2
import numpy as np

from enhance_cli.engine.ensemble import eightfold

rng = np.random.default_rng(0)


def test_an_equivariant_function_is_unchanged():
    x = rng.random((2, 3, 5, 7), np.float32)
    np.testing.assert_allclose(eightfold(lambda t: 2 * t + 1, x), 2 * x + 1, rtol=1e-6)
    twice = eightfold(lambda t: t.repeat(2, 2).repeat(2, 3), x)
    np.testing.assert_allclose(twice, x.repeat(2, 2).repeat(2, 3), rtol=1e-6)


def test_a_directed_filter_becomes_the_mean_of_its_eight_turns():
    def filtered(x, kernel):
        return cv2.filter2D(x[0, 0], -1, kernel, borderType=cv2.BORDER_CONSTANT)[None, None]

    kernel = np.arange(9, dtype=np.float32).reshape(3, 3)
    turned = [np.rot90(k, n) for k in (kernel, kernel[:, ::-1]) for n in range(4)]
    x = rng.random((1, 1, 6, 9), np.float32)
    expected = filtered(x, np.mean(turned, axis=0))
    np.testing.assert_allclose(eightfold(lambda t: filtered(t, kernel), x), expected, rtol=1e-5)


def test_all_eight_orientations_are_seen_once_as_runtimes_want_them():
    seen = []

    def network(x):
        assert x.flags.c_contiguous
        seen.append((x.shape, tuple(x.ravel())))
        return x

    eightfold(network, np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3))
    assert len(seen) == len(set(seen)) == 8
