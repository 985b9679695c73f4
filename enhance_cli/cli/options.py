"""The flags that all tasks share, each defined once.

Typer reads signatures: `task_command` gives a function whose last parameter is `common: Common` one
parameter per field of `Common` instead.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints

import typer

from enhance_cli.errors import UsageError
from enhance_cli.runtimes.contract import Backend, Precision
from enhance_cli.tasks import CONDITION_RANGES, ConditionKind

Format = Literal["png", "jpg", "jpeg", "webp", "tiff", "bmp", "ppm", "gif", "avif", "heic", "jxl", "same"]


def _model_names() -> list[str]:
    """For shell completion."""
    from enhance_cli.checkpoints.catalog import TIERS, catalog

    return [*TIERS, *(weights.name for weights in catalog())]


def _remember(context: typer.Context, value: bool) -> bool:
    # Shared by all contexts of one call, so that the group knows it when it reports an error.
    context.meta["debug"] = context.meta.get("debug", False) or value
    return value


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH",
        show_default=False,
        help="Pictures, folders, quoted globs, or - for stdin; the second of two paths is the output.",
    ),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="File or folder to write, or - for stdout."),
]
Name = Annotated[
    str | None,
    typer.Option(
        metavar="TEMPLATE",
        help="File names of outputs, by {stem} {ext} {task} {scale} {model} {quality} {sigma}.",
    ),
]
OutputFormat = Annotated[
    Format | None,
    typer.Option("--format", help="Output format; same: as the input. [png]", show_default=False),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")]
Recursive = Annotated[bool, typer.Option("--recursive/--no-recursive", help="Search folders within folders.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]
JpegQuality = Annotated[
    int, typer.Option(metavar="N", min=1, max=100, help="Quality of JPEG outputs, 1 to 100.")
]
PngLevel = Annotated[int, typer.Option(metavar="N", min=0, max=9, help="Compression of PNG outputs, 0 to 9.")]
WebpEffort = Annotated[
    int, typer.Option(metavar="N", min=0, max=6, help="Effort for (lossless) WebP outputs, 0 to 6.")
]
MaxPixels = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Refuse larger inputs.", show_default=False)
]
Frames = Annotated[
    Literal["first", "all"],
    typer.Option("--frames", help="Of animations and pages; all: written to a file of the same kind."),
]
StripOption = Annotated[
    Literal["none", "gps", "all"], typer.Option("--strip", help="Metadata to leave out; colours stay right.")
]
Icc = Annotated[
    Literal["keep", "srgb"], typer.Option("--icc", help="Keep the colour profile, or convert to sRGB.")
]
WhiteLevel = Annotated[
    float | None,
    typer.Option(metavar="N", min=1, help="Stored value that is white: 1023 for 10 bits in 16. [largest]"),
]
BlackLevel = Annotated[float, typer.Option(metavar="N", min=0, help="Stored value that is black.")]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=N",
        help="Allow one input file to cost more, such as scans=200 (docs/formats.md); repeatable.",
        show_default=False,
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="fast, default, best (8 times the work), photo, or weights by name (enhance models list).",
        autocompletion=_model_names,
    ),
]
WeightsFile = Annotated[
    str | None, typer.Option("--weights", metavar="FILE", help="Weights from a file, ours or the authors'.")
]
ArchOption = Annotated[
    list[str] | None,
    typer.Option(
        "--arch-option",
        metavar="NAME=VALUE",
        help="What --weights does not tell, such as res_scale=0.1; repeatable.",
        show_default=False,
    ),
]
Strength = Annotated[
    str, typer.Option(metavar="0..1", help="How much of the change to make, as a number or a percentage.")
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:N or mps; only auto falls back.")
]
PrecisionOption = Annotated[
    Literal["auto", Precision], typer.Option("--precision", help="Arithmetic of the network.")
]
BackendOption = Annotated[Literal["auto", Backend], typer.Option("--backend", help="What runs the network.")]
Tile = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=0, help="Tile side in pixels, 0: no tiles. [fits memory]", show_default=False
    ),
]
Wrap = Annotated[
    bool, typer.Option("--wrap", help="Keep a seamless texture seamless: it goes on at the opposite border.")
]
Ensemble = Annotated[
    bool,
    typer.Option(
        "--ensemble", help="Average over flips and rotations (8 times the work), as --model best does."
    ),
]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Write also what looks spoilt, or worse than the input.")
]
Threads = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="CPU threads for the arithmetic.", show_default=False)
]
Jobs = Annotated[int, typer.Option(metavar="N", min=1, help="Threads that read, and as many that write.")]
Retry = Annotated[
    int, typer.Option(metavar="N", min=0, help="Try pictures that failed N times more, at the end.")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Begin no other picture when one has failed.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Give up a picture that takes longer to read, or to restore.",
        show_default=False,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory that the process may take, such as 2G.", show_default=False),
]
SandboxOption = Annotated[
    bool, typer.Option("--sandbox", help="Decode in a process that opens no files; --timeout does so, too.")
]
PreserveTimes = Annotated[
    bool, typer.Option("--preserve-times", help="Give outputs the dates of their inputs.")
]
Reference = Annotated[
    str | None, typer.Option(metavar="PATH", help="Clean picture or folder: adds PSNR and SSIM.")
]
MinPsnr = Annotated[float | None, typer.Option(metavar="DB", help="Fail (exit 4) if the mean PSNR is lower.")]
MinSsim = Annotated[
    float | None, typer.Option(metavar="SSIM", help="Fail (exit 4) if the mean SSIM is lower.")
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON object per line to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", callback=_remember, help="Show tracebacks.")]


@dataclass(frozen=True, kw_only=True)
class Common:
    """What all tasks share, as the user gave it."""

    output: Output = None
    name: Name = None
    format: OutputFormat = None
    overwrite: Overwrite = False
    recursive: Recursive = True
    dry_run: DryRun = False
    jpeg_quality: JpegQuality = 95
    png_level: PngLevel = 2
    webp_effort: WebpEffort = 4
    frames: Frames = "first"
    strip: StripOption = "none"
    icc: Icc = "keep"
    white_level: WhiteLevel = None
    black_level: BlackLevel = 0.0
    max_pixels: MaxPixels = None
    limit: Limit = None
    model: ModelName = None
    weights: WeightsFile = None
    arch_option: ArchOption = None
    strength: Strength = "1"
    device: Device = "auto"
    precision: PrecisionOption = "auto"
    backend: BackendOption = "auto"
    tile: Tile = None
    ensemble: Ensemble = False
    wrap: Wrap = False
    unchecked: Unchecked = False
    threads: Threads = None
    jobs: Jobs = 2
    retry: Retry = 0
    fail_fast: FailFast = False
    timeout: Timeout = None
    memory: Memory = None
    sandbox: SandboxOption = False
    preserve_times: PreserveTimes = False
    reference: Reference = None
    min_psnr: MinPsnr = None
    min_ssim: MinSsim = None
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False


def task_command(function: Callable[..., None]) -> Callable[..., None]:
    """Spread the last parameter, `common`, over one parameter per field of `Common`."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[:-1]
    hints = get_type_hints(Common, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(Common)
    ]

    def command(**values: Any) -> None:
        common = Common(**{field.name: values.pop(field.name) for field in fields(Common)})
        function(**values, common=common)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + shared
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def arch_options(given: Sequence[str] | None) -> dict[str, str]:
    """The NAME=VALUE pairs; UsageError for anything else."""
    pairs = [text.partition("=") for text in given or ()]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise UsageError(f"--arch-option {name}{equals}{value} is not NAME=VALUE, such as res_scale=0.1")
    return {name: value for name, _, value in pairs}


def share(text: str) -> float:
    """The number that --strength takes, 0..1, also written as a percentage; UsageError for anything else."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UsageError(f"--strength {text} is not possible; give a number from 0 to 1, or 0% to 100%")
    return value


def condition(kind: ConditionKind, text: str) -> float | None:
    """The number that a flag of that name takes, or None for "auto"; UsageError for anything else."""
    if text == "auto":
        return None
    low, high = CONDITION_RANGES[kind]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise UsageError(f"--{kind} {text} is not possible; give a number from {low:g} to {high:g}, or auto")
    return value
