"""Applies one network to pictures of any size, colour and bit depth within bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine import check, deconvolution, harm
from enhance_cli.engine.colour import Resampler, fill_hidden, from_network, to_network
from enhance_cli.engine.condition import Condition, find_condition, trained_range
from enhance_cli.engine.network import OnTile, TiledNetwork
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import from_loaded
from enhance_cli.engine.tiles import Box
from enhance_cli.errors import UsageError
from enhance_cli.imaging.alpha import alpha_is_soft, flat_parts, resized_alpha
from enhance_cli.imaging.colour import from_float, to_float
from enhance_cli.imaging.metadata import for_size
from enhance_cli.imaging.mosaic import aligned, interpolated
from enhance_cli.imaging.picture import Picture, Pixels, Plane, joined
from enhance_cli.imaging.raw import developed
from enhance_cli.runtimes.contract import Batch, NetworkSource, Runtime
from enhance_cli.tasks import CONDITION_RANGES, TASKS, Task

if TYPE_CHECKING:
    from enhance_cli.checkpoints.reader import LoadedNet

BAND_ROWS = 256
"""Rows that are resized at once."""
SEAM = 8
"""Pixels that resizing and alpha see beyond what the network does."""


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """How a result came about."""

    tiles: int
    device: str
    backend: str
    precision: str
    warnings: tuple[str, ...] = ()
    """What the engine had to do differently, one line each."""


@dataclass(frozen=True, kw_only=True)
class Restored(RunInfo):
    """A result and how it came about."""

    picture: Picture
    """Metadata, bit depth and number of channels of the input."""


class Restorer:
    """One network, ready for pictures.  Not for several threads at once."""

    def __init__(
        self,
        source: NetworkSource,
        settings: EngineSettings,
        *,
        task: Task,
        trained: tuple[float, float] | None = None,
        denoiser: Callable[[bool], NetworkSource] | None = None,
    ) -> None:
        """`trained`: smallest and largest condition that the network was trained for, if known.  `denoiser`:
        gives a network that is told sigma, for gray or for three colours; with it a blur that is the same all
        over a picture is looked for and undone, and the own network serves the other pictures.

        DeviceError if the device, precision or backend asked for is not there; UsageError for bad settings.
        """
        self.name = source.name
        self._task = TASKS[task]
        self._trained = trained
        self._network = TiledNetwork(source, settings, self._task)
        self._denoiser = denoiser
        # What a denoiser is given within is no picture yet; the result is checked in the end.
        self._inner_settings = replace(settings, unchecked=True)
        self._denoisers: dict[bool, Restorer] = {}
        self._left_out: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        net: LoadedNet,
        settings: EngineSettings,
        *,
        denoiser: Callable[[bool], NetworkSource] | None = None,
    ) -> Restorer:
        """The same for a network that has been read already."""
        trained = trained_range(net.metadata)
        return cls(from_loaded(net), settings, task=net.task, trained=trained, denoiser=denoiser)

    @property
    def spec(self) -> ArchSpec:
        """What is special about the network."""
        return self._network.runtime.spec

    @property
    def runtime(self) -> Runtime:
        """What runs the network now; memory that ran out may have moved it to the CPU."""
        return self._network.runtime

    @property
    def info(self) -> RunInfo:
        """How the last picture came about whose bands have come to their end."""
        runtime = self.runtime
        return RunInfo(
            tiles=self._network.n_tiles,
            device=runtime.device,
            backend=runtime.name,
            precision=runtime.precision,
            warnings=(*self._network.warnings, *self._left_out),
        )

    def find_condition(self, picture: Picture, asked: float | None = None) -> Condition:
        """What to tell the network of the picture: what was asked for, else what the picture itself shows."""
        return find_condition(
            picture, self._task, self.spec, model=self.name, asked=asked, trained=self._trained
        )

    def restore(
        self,
        picture: Picture,
        *,
        scale: float | None = None,
        size: tuple[int, int] | None = None,
        condition: float | None = None,
        strength: float = 1.0,
        unharmed: bool = False,
        on_tile: OnTile | None = None,
    ) -> Restored:
        """Restore a picture, to `size` = (width, height) or by the factor `scale`.

        Without either, the size is what the network gives.  A size that is not the network's own is
        reached by MATLAB's bicubic: beforehand for networks that want an enlarged input, else from
        the network's result.  `condition`: noise sigma 0..255 or JPEG quality 1..100, for networks that
        take one.  `strength`: share of the change that is made, 0..1; the rest is the plain picture, enlarged
        by bicubic where the result is larger.  `unharmed` as in `bands`.  `on_tile(done, all)` follows each
        tile; the count starts anew if memory ran out.  UsageError for a size or condition that cannot be,
        RestoreError if the result is unusable.
        """
        if size is None and scale is not None:
            size = _enlarged(picture, scale)
        bands = self.bands(
            picture, size=size, condition=condition, strength=strength, unharmed=unharmed, on_tile=on_tile
        )
        result = joined(self.outline(picture, size), bands)
        return Restored(picture=result, **vars(self.info))

    def outline(self, picture: Picture, size: tuple[int, int] | None = None) -> Picture:
        """What `restore` gives, but black: it takes no memory."""
        width, height = size or _enlarged(picture, self.spec.scale)
        if min(width, height) < 1:
            raise UsageError(f"size {width}x{height} is empty; both sides must be 1 or more")
        return replace(picture.outline(width, height), metadata=for_size(picture.metadata, width, height))

    def bands(
        self,
        picture: Picture,
        *,
        size: tuple[int, int] | None = None,
        condition: float | None = None,
        strength: float = 1.0,
        unharmed: bool = False,
        wrap: bool = False,
        on_tile: OnTile | None = None,
    ) -> Iterator[Picture]:
        """The same, never whole in memory: yields the rows as they are finished, from the top.

        `unharmed`: whether the change is left out, with a warning, where it likely makes the picture worse.
        `wrap`: whether the picture goes on at the opposite border, as a seamless texture does; the result is
        then seamless, too.  UsageError for a mosaic of odd sides, which cannot go on.
        """
        outline = self.outline(picture, size)
        height, width = outline.height, outline.width
        if wrap:
            around, larger = self._wrapped(picture, outline)
            row, left = (height - larger[1]) // 2, (larger[0] - width) // 2
            for band in self.bands(
                around,
                size=larger,
                condition=condition,
                strength=strength,
                unharmed=unharmed,
                on_tile=on_tile,
            ):
                rows = slice(max(0, -row), max(0, min(band.height, height - row)))
                row += band.height
                if rows.start < rows.stop:
                    kept = rows, slice(left, left + width)
                    alpha = None if band.alpha is None else band.alpha[kept]
                    yield replace(outline, pixels=band.pixels[kept], alpha=alpha)
                del band
            return
        alpha = picture.alpha
        if alpha is not None and alpha.shape != (height, width):
            resized = resized_alpha(alpha, (height, width))
            grows = height >= alpha.shape[0] and width >= alpha.shape[1]
            if grows and alpha_is_soft(alpha):
                # Like one more gray picture; what is flat stays as it is, fully clear and opaque above all.
                shape = Picture(alpha[..., None])
                bands = self.bands(shape, size=(width, height), condition=condition, strength=strength)
                alpha = np.where(
                    flat_parts(alpha, (height, width)),
                    resized,
                    joined(shape.outline(width, height), bands).pixels[..., 0],
                )
            else:
                alpha = resized
        strips = self._strips(picture, (height, width), self._scaled(condition), on_tile)
        self._left_out = ()
        kernel = self._kernel(picture.pixels)
        if kernel is not None:
            strips = deconvolution.restored(picture.pixels, kernel.kernel, self._denoised)
            self._left_out = (
                f"the blur was found, {kernel.width:.1f} pixels wide, and undone by deconvolution",
            )
        elif unharmed and self._task.may_harm:
            probes = harm.probes(picture.pixels)
            given = [picture.pixels[box.rows, box.columns] for box in probes]
            if height * width <= harm.MOST_PROBES * harm.PROBE**2:
                # A small picture is not computed twice.
                strips = iter([whole := _joined(strips, height)])
                made = [whole[box.rows, box.columns] for box in probes]
            else:
                made = [self.restore(Picture(part), condition=condition).picture.pixels for part in given]
            if harm.is_harmful(zip(given, made, strict=True)):
                self._left_out = (f"{self._task.name} would do harm (echoes, stripes): left as it was",)
                strips = (picture.pixels[top : top + BAND_ROWS] for top in range(0, height, BAND_ROWS))
        plain = self._plain(picture, height, width) if strength < 1 else None
        top = 0
        for pixels in strips:
            rows = slice(top, top + len(pixels))
            if plain is not None:
                before = plain.read(Box(rows.start, 0, rows.stop, width))
                # The result's own rounding is a fraction of a level; blending in float adds no other.
                blend = before + np.float32(strength) * (to_float(pixels) - before)
                pixels = from_float(blend, pixels.dtype)
            yield replace(outline, pixels=pixels, alpha=None if alpha is None else alpha[rows])
            top = rows.stop
            del pixels

    def _wrapped(self, picture: Picture, outline: Picture) -> tuple[Picture, tuple[int, int]]:
        """The picture with as much of itself around as the network sees, and (width, height) of its result.

        What is added is so many pixels that it becomes whole pixels of the result, and keeps a mosaic's
        pattern.
        """
        if self._task.mosaic and (picture.height % 2 or picture.width % 2):
            raise UsageError(f"a mosaic of {picture.width}x{picture.height} cannot wrap: its sides are odd")
        reach = self.spec.halo + self.spec.margin + SEAM
        sides = (picture.height, outline.height), (picture.width, outline.width)
        steps = [math.lcm(given // math.gcd(given, made), 2) for given, made in sides]
        added = [-(-reach // step) * step for step in steps]
        around = [(n, n) for n in added]
        pixels: Pixels = np.pad(picture.pixels, [*around, (0, 0)], mode="wrap")  # type: ignore[assignment]
        alpha: Pixels | None = None
        if picture.alpha is not None:
            alpha = np.pad(picture.alpha, around, mode="wrap")  # type: ignore[assignment]
        height, width = (made + 2 * n * made // given for (given, made), n in zip(sides, added, strict=True))
        return replace(picture, pixels=pixels, alpha=alpha), (width, height)

    def _kernel(self, pixels: Pixels) -> deconvolution.FoundKernel | None:
        """The blur's kernel, where one is looked for and found, and undoing it spoils nothing."""
        if self._denoiser is None:
            return None
        return deconvolution.find_kernel(
            pixels, self._denoised, lambda x, y: check.fault_of(x, y, self._task) is None
        )

    def _denoised(self, x: Plane, sigma: float) -> Plane:
        """What the denoiser for as many colours makes of (H, W, C)."""
        assert self._denoiser is not None
        gray = x.shape[2] == 1
        if gray not in self._denoisers:
            self._denoisers[gray] = Restorer(self._denoiser(gray), self._inner_settings, task="denoise")
        return self._denoisers[gray].restore_plane(x, sigma)

    def _plain(self, picture: Picture, height: int, width: int) -> Resampler:
        """The picture at the result's size, as it is without the network."""
        pixels = interpolated(picture.pixels) if self._task.mosaic else picture.pixels
        if picture.camera is not None:
            pixels = developed(pixels, picture.camera)
        return Resampler(pixels, height, width)

    def restore_plane(self, x: Plane, condition: float | None = None) -> Plane:
        """What the network itself makes of a plain array: no colour path, no rounding, no clipping.

        x: (H, W, C) float32 with nominal range [0, 1], C = 3 for RGB networks and 1 else, already
        enlarged for networks that want that.  Returns (scale H, scale W, C) float32.
        """
        height, width, n_colours = x.shape
        given = Resampler(np.asarray(x, np.float32), height, width)
        out = np.empty((height * self.spec.scale, width * self.spec.scale, n_colours), np.float32)

        def read(box: Box) -> Batch:
            return np.ascontiguousarray(given.read(box).transpose(2, 0, 1)[None])

        for box, y in self._network.run(height, width, read, self._scaled(condition)):
            out[box.rows, box.columns] = y[0].transpose(1, 2, 0)
        return out

    def _strips(
        self, picture: Picture, size: tuple[int, int], condition: float | None, on_tile: OnTile | None
    ) -> Iterator[Pixels]:
        """Colours of the result, `size` = (height, width), in strips of rows as wide as it is."""
        pixels, spec = picture.pixels, self.spec
        if self._task.mosaic:
            # What is transparent is not filled in: that would be across the mosaic.
            pixels, rows, columns = aligned(pixels)
            strips = self._computed(pixels, pixels.shape[:2], pixels.dtype, condition, on_tile)
            made = _joined(strips, len(pixels))[rows, columns]
            yield made if picture.camera is None else developed(made, picture.camera)
            return
        if picture.alpha is not None:
            pixels = fill_hidden(pixels, picture.alpha)
        given = size if spec.pre_upsampled else (picture.height, picture.width)
        own = given[0] * spec.scale, given[1] * spec.scale
        if own == size:
            yield from self._computed(pixels, given, pixels.dtype, condition, on_tile)
            return
        whole = _joined(self._computed(pixels, given, np.uint16, condition, on_tile), own[0])
        resampler = Resampler(whole, *size)
        for top in range(0, size[0], BAND_ROWS):
            # Summed in float and rounded once.
            box = Box(top, 0, min(top + BAND_ROWS, size[0]), size[1])
            yield from_float(resampler.read(box), pixels.dtype)

    def _computed(
        self,
        pixels: Pixels,
        given: tuple[int, int],
        dtype: DTypeLike,
        condition: float | None,
        on_tile: OnTile | None,
    ) -> Iterator[Pixels]:
        """What the network makes of the pixels shown at `given` = (height, width), as `dtype`, in strips."""
        spec, gray = self.spec, pixels.shape[2] == 1
        width = given[1] * spec.scale
        shown = Resampler(pixels, *given)
        behind = None
        if spec.colour == "y" and not gray:
            behind = Resampler(pixels, given[0] * spec.scale, width)

        def read(box: Box) -> Batch:
            return to_network(shown.read(box), spec.colour)

        strip: Pixels = np.empty(0, dtype)
        for box, y in self._network.run(*given, read, condition, on_tile):
            backdrop = behind.read(box) if behind else None
            colours = from_float(from_network(y, spec.colour, gray=gray, backdrop=backdrop), dtype)
            if (box.left, box.right) == (0, width):
                yield colours
                continue
            if box.left == 0:
                strip = np.empty((len(colours), width, pixels.shape[2]), dtype)
            strip[:, box.columns] = colours
            if box.right == width:
                yield strip

    def _scaled(self, condition: float | None) -> float | None:
        """The condition as the network takes it: its share of the largest."""
        kind = self.spec.condition
        if kind is None:
            if condition is not None:
                raise UsageError(f"model {self.name} takes no condition; leave out the {condition:g}")
            return None
        low, high = CONDITION_RANGES[kind]
        if condition is None or not low <= condition <= high:
            raise UsageError(f"model {self.name} needs a {kind} from {low:g} to {high:g}, not {condition}")
        return condition / high


def _enlarged(picture: Picture, scale: float) -> tuple[int, int]:
    """Width and height of the picture by a factor; UsageError if there is no such size."""
    if not 0 < scale < float("inf"):
        raise UsageError(f"scale {scale} is impossible; give a positive factor")
    return max(1, int(picture.width * scale + 0.5)), max(1, int(picture.height * scale + 0.5))


def _joined(strips: Iterator[Pixels], height: int) -> Pixels:
    """All strips as one array; a single one is passed on."""
    whole: Pixels | None = None
    top = 0
    for strip in strips:
        if len(strip) == height:
            whole = strip
            continue
        if whole is None:
            whole = np.empty((height, *strip.shape[1:]), strip.dtype)
        whole[top : top + len(strip)] = strip
        top += len(strip)
    assert whole is not None
    return whole
