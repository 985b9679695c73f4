"""The command `enhance`: its subcommands, and the one place where errors become exit codes."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import enhance_cli
from enhance_cli import process
from enhance_cli.cli import bench, console, datasets, models, train
from enhance_cli.cli.deblur import deblur
from enhance_cli.cli.dejpeg import dejpeg
from enhance_cli.cli.demosaic import demosaic
from enhance_cli.cli.denoise import denoise
from enhance_cli.cli.doctor import doctor
from enhance_cli.cli.interruption import INTERRUPTED, READER_GONE, leave
from enhance_cli.cli.options import Debug
from enhance_cli.cli.sr import sr
from enhance_cli.cli.talk import Talk, discard
from enhance_cli.cli.verify import verify
from enhance_cli.errors import EnhanceError

# click's UsageError, found through what Typer exports: which click that is depends on Typer's version.
USAGE: Any = typer.BadParameter.__bases__[0]


class EnhanceGroup(TyperGroup):
    """Turns every error into one line on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand; leaves through `typer.Exit`."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except USAGE as error:
            text = error.format_message()
            if "\n" in text:
                # A group without a command: its help.
                error.show(Talk())
            else:
                command = (error.ctx or ctx).command_path
                _tell(ctx, f"{text.rstrip('.')}; {command} --help tells more")
            raise typer.Exit(2) from error
        except EnhanceError as error:
            _tell(ctx, str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            _tell(ctx, "interrupted")
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:
            discard(sys.stdout)
            raise typer.Exit(READER_GONE) from error
        except Exception as error:
            text = f"unexpected {type(error).__name__}: {error}; run it with --debug and report what it says"
            _tell(ctx, " ".join(text.split()))
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=EnhanceGroup,
    no_args_is_help=True,
    # Plain help: rich's would take twice the time of everything else together.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        console.data(f"enhance {enhance_cli.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Batch image enhancement: super-resolution, JPEG artefacts, denoising, deblurring, demosaicing."""


for command in (sr, dejpeg, denoise, deblur, demosaic, verify, bench.bench, train.train, doctor):
    app.command()(command)
app.add_typer(models.app, name="models")
app.add_typer(datasets.app, name="datasets")


def _tell(context: Any, text: str) -> None:
    if context.meta.get("debug"):
        console.say(traceback.format_exc().rstrip())
    console.error(text)


def main() -> None:
    """Entry point of the installed command."""
    process.prepare()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        app(prog_name="enhance")
    except SystemExit as error:
        # Everything is written by now, and taking down Python and OpenVINO would take a tenth of a second.
        # Only torch may have processes of its own to end.
        at_once = error.code in (INTERRUPTED, READER_GONE) or "torch" not in sys.modules
        if at_once and isinstance(error.code, int):
            leave(error.code)
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: object) -> None:
    """Ctrl-C where no picture is in hand; a second one does not meet the first on its way out."""
    signal.signal(signal.SIGINT, lambda *_: leave(INTERRUPTED))
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
