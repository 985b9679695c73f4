"""enhance: batch image enhancement, from the command line and from Python.

    import enhance_cli as enhance

    upscale = enhance.load("sr", scale=4)
    large = upscale(image)

`image` may be a path, a Pillow image, a NumPy array or a torch tensor.  Nothing heavy is imported before one
of the names below is used, and torch only where a network has not been prepared for a faster runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enhance_cli.api import Enhancer, Picture, list_models, load, read_image, write_image

__version__ = "0.1.0"
__all__ = ["Enhancer", "Picture", "list_models", "load", "read_image", "write_image"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("enhance_cli.api"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
