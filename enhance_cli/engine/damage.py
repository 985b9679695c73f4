"""What damage a picture shows, for tasks that are told nothing: whether to work at all, and with which
weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from enhance_cli.imaging.blurriness import estimate_blur
from enhance_cli.imaging.noise import estimate_noise
from enhance_cli.imaging.picture import Picture
from enhance_cli.tasks import TaskSpec

DamageKind = Literal["none", "white noise", "camera noise", "blur"]


@dataclass(frozen=True)
class Damage:
    """What was found."""

    kind: DamageKind
    strength: float = 0.0
    """Of noise the standard deviation on the 0..255 scale, of blur the spread in pixels."""
    curve: tuple[tuple[float, float], ...] = ()
    """Of noise: (brightness 0..255, standard deviation) of luma in flat places."""

    @property
    def needs_photo_weights(self) -> bool:
        """Whether weights made for white noise are no help."""
        return self.kind == "camera noise"

    def to_json(self) -> dict[str, Any]:
        """As events tell it."""
        told: dict[str, Any] = {"kind": self.kind}
        if self.kind != "none":
            told["strength"] = round(self.strength, 2)
        if self.curve:
            told["curve"] = [[round(level), round(sigma, 2)] for level, sigma in self.curve]
        return told

    def __str__(self) -> str:
        """In a few words: "camera noise 4.2"."""
        return self.kind if self.kind == "none" else f"{self.kind} {self.strength:.1f}"


def find_damage(picture: Picture, task: TaskSpec) -> Damage | None:
    """The damage that a task mends, as far as the picture shows it; None for tasks that do not look."""
    if task.looks_for == "noise":
        noise = estimate_noise(picture.pixels)
        kinds: dict[str, DamageKind] = {"white": "white noise", "camera": "camera noise"}
        return Damage(kinds.get(noise.kind, "none"), noise.sigma or 0.0, noise.curve)
    if task.looks_for == "blur":
        blur = estimate_blur(picture.pixels)
        return Damage("blur", blur.width or 0.0) if blur.blurred else Damage("none")
    return None
