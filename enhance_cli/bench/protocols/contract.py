"""What a protocol is: how a clean picture is degraded, and how a restored one is measured.

A setting is one column of a paper's table ("x4", "q10") under a named protocol. Arrays are (H, W, C) on the
0..255 scale, C = 1 (gray) or 3 (RGB), each picture as it is stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from enhance_cli.arch.contract import Task
from enhance_cli.errors import ImageError
from enhance_cli.metrics.measure import EightBit, Levels, Metrics, compare, rounded_luma


@dataclass(frozen=True)
class Case:
    """One degraded picture."""

    given: Levels
    """What the network gets: uint8, or float32 where a file's 8 bits would spoil it."""
    reference: EightBit
    """What its result is compared with."""
    baseline: Levels
    """The answer of doing nothing, of the reference's size."""


class Setting(ABC):
    """One column of a table, here as of most: the size stays, and all channels of 8-bit results are measured.

    Subclasses are frozen dataclasses: equal settings measure the same.
    """

    task: Task
    """What networks it measures."""
    protocol: str
    """Its name, as `--protocol` takes it."""
    baseline: str
    """What doing nothing is called: "bicubic", "jpeg"."""
    scale: int = 1
    """Enlargement."""
    unasked: bool = False
    """Whether networks are told what `enhance` finds in the picture, instead of `condition`."""
    needs_colour: bool = False
    """Whether sets of gray pictures are left out."""
    needs_inputs: bool = False
    """Whether there is nothing to measure where no inputs lie ready."""
    published: bool = True
    """Whether papers degrade pictures in the same way; if not, only ready-made inputs compare with theirs."""

    @property
    def name(self) -> str:
        """As tables head it: "x4", "q10", "sigma 25"."""
        return self.protocol

    @property
    def inputs(self) -> str:
        """What a set calls the inputs that lie ready for it."""
        return self.name

    @property
    def label(self) -> str:
        """The protocol's name and what else decides the figures: "matlab-y", "matlab-y replicate"."""
        return self.protocol

    @property
    def condition(self) -> float | None:
        """Strength, for networks that are told."""
        return None

    @property
    def gray(self) -> bool:
        """Whether colour pictures are measured in one channel, and networks given one."""
        return False

    @property
    def takes_inputs(self) -> bool:
        """Whether inputs that lie ready beside a set are taken; else the protocol says how they are made."""
        return True

    @property
    def exact(self) -> bool:
        """Whether results are measured as floats instead of the 8 bits of a file."""
        return False

    @abstractmethod
    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Make the case of one picture, a pure function of the picture and the seed."""

    def accept(self, clean: EightBit, given: EightBit) -> Case:
        """The case of a picture that somebody else degraded; raises ImageError if the sizes do not match."""
        return ready(clean, given)

    def measure(self, result: Levels, reference: EightBit) -> Metrics:
        """Compare a result with the reference."""
        return compare(result, reference)


def ready(reference: EightBit, given: EightBit) -> Case:
    """The case whose baseline is the degraded picture itself; raises ImageError if it has another size."""
    if given.shape[:2] != reference.shape[:2]:
        sizes = [f"{x.shape[1]}x{x.shape[0]}" for x in (given, reference)]
        raise ImageError(f"the input is {sizes[0]} and the reference {sizes[1]}; they must be alike")
    given = alike(given, reference)
    return Case(given, reference, given)


def alike(given: EightBit, reference: EightBit) -> EightBit:
    """`given` with the reference's channels, since gray pictures are often stored as RGB.

    Raises ImageError if only one of them has colour.
    """
    if given.shape[2] == reference.shape[2]:
        return given
    if np.ptp(reference if given.shape[2] == 1 else given, axis=2).any():
        kinds = ("gray", "colour") if given.shape[2] == 1 else ("colour", "gray")
        raise ImageError(f"the input is {kinds[0]} and the reference {kinds[1]}; give both in one kind")
    return given[..., :1] if reference.shape[2] == 1 else given.repeat(3, axis=2)


def luma_alike(given: EightBit, clean: EightBit) -> EightBit:
    """The 8-bit luma of `given`, where one channel beside a clean colour picture is luma already."""
    return alike(given, clean) if clean.shape[2] == 1 else rounded_luma(given)
