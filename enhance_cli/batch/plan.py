"""What a run does: one plan for all pictures, and a job for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from enhance_cli.batch.budget import Budget
from enhance_cli.batch.records import Settings
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ImageError, UsageError, WriteError
from enhance_cli.imaging import files
from enhance_cli.imaging.files import EncodeOptions, ReadOptions
from enhance_cli.imaging.mosaic import Pattern
from enhance_cli.imaging.picture import Picture
from enhance_cli.tasks import TaskSpec


@dataclass(frozen=True)
class Job:
    """One picture to restore.  None for a path means standard input or output."""

    input: Path | None
    output: Path | None
    reference: Path | None = None
    """The clean picture to compare with."""
    problem: ImageError | None = None
    """What planning found wrong: the job fails with it at once."""
    root: Path | None = None
    """The folder that the output has to lie in, whatever links there are below it; None: any."""

    @property
    def input_name(self) -> str:
        """As events call it."""
        return "-" if self.input is None else str(self.input)

    @property
    def output_name(self) -> str:
        """As events call it."""
        return "-" if self.output is None else str(self.output)

    def check_place(self) -> None:
        """WriteError if a link below the folder of the results leads the output out of it."""
        if self.root is None or self.output is None:
            return
        folder, root = (Path(os.path.realpath(path)) for path in (self.output.parent, self.root))
        if not folder.is_relative_to(root):
            raise WriteError(f"{self.output} lies outside {self.root}: a link leads to {folder}; remove it")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done to every picture of a run."""

    task: TaskSpec
    factor: float = 1.0
    """Enlargement; 1 for tasks that keep the size."""
    size: tuple[int, int] | None = None
    """Exact (width, height) instead of a factor."""
    condition: float | None = None
    """Noise sigma or JPEG quality; None finds it in each picture."""
    strength: float = 1.0
    """Share of the change that is made, 0..1."""
    pattern: Pattern | None = None
    """Of mosaics: colours of the first 2x2 samples; None finds it in each picture."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What a foreign weights file leaves open."""
    format: str = "PNG"
    """Format on standard output, as Pillow names it; "same" is the input's."""
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    engine: EngineSettings = field(default_factory=EngineSettings)
    read: ReadOptions = field(default_factory=ReadOptions)
    frames: Literal["first", "all"] = "first"
    """Of animations, and of files with several pages."""
    seconds: float | None = None
    """For reading a picture, and for restoring it; None: as long as it takes."""
    memory: Budget | None = None
    """What the process may take; None: pictures take what they need."""
    wrap: bool = False
    """Whether pictures are seamless textures, which go on at their opposite borders."""
    overwrite: bool = False
    preserve_times: bool = False
    """Whether an output gets the dates of its input."""

    def target(self, picture: Picture) -> tuple[int, int]:
        """(width, height) of the picture's result; UsageError if it would shrink."""
        if self.size is None:
            return int(picture.width * self.factor + 0.5), int(picture.height * self.factor + 0.5)
        width, height = self.size
        if width < picture.width or height < picture.height:
            raise UsageError(
                f"--size {width}x{height} is smaller than the picture ({picture.width}x{picture.height}); "
                f"{self.task.name} only enlarges: ask for more"
            )
        return width, height

    def factor_of(self, picture: Picture) -> float:
        """How many times the picture is enlarged, along the axis where it is more."""
        if self.size is None:
            return self.factor
        return max(self.size[0] / picture.width, self.size[1] / picture.height)

    def record_settings(self, output: Path) -> Settings:
        """What decides the output's content beside input and weights, as its record holds it.

        Not what the network runs on, nor the precision that was chosen without being asked for: these results
        cannot be told apart (0.25 levels rms).  A lower precision that was asked for makes another result.
        Nor tiles, threads, and how hard a lossless format compresses.
        """
        settings: Settings = {"task": self.task.name, "ensemble": self.engine.ensemble}
        if self.task.enlarges:
            settings |= {"size": list(self.size)} if self.size else {"scale": self.factor}
        if self.task.condition:
            settings["strength"] = "auto" if self.condition is None else self.condition
        if self.task.mosaic:
            settings["pattern"] = self.pattern or "auto"
        if self.strength < 1:
            settings["share"] = self.strength
        read = self.read
        if read.strip != "none":
            settings["strip"] = read.strip
        if read.icc != "keep":
            settings["icc"] = read.icc
        if read.white_level is not None or read.black_level:
            settings["levels"] = [read.black_level, read.white_level]
        if self.frames != "first":
            settings["frames"] = self.frames
        if self.wrap:
            settings["wrap"] = True
        if self.engine.precision not in ("auto", "float32"):
            settings["precision"] = self.engine.precision
        if self.options:
            settings["arch_option"] = dict(self.options)
        if files.format_of(output) == "JPEG":
            settings["jpeg_quality"] = self.encode.jpeg_quality
        return settings
