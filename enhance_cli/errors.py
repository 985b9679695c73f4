"""Every error that `enhance` raises on purpose.

    EnhanceError                     1   nothing could be done
    ├── UsageError                   2   the command line asks for something that cannot be
    │   ├── CollisionError           2   two inputs would write one file
    │   ├── DeviceError              2   the device, precision or backend asked for is not there
    │   └── ModelError               2   unknown model, or a weights file that does not fit
    ├── ImageError                   3   one picture failed; the others go on
    │   ├── ReadError                3   missing, empty, truncated, too large, or no picture
    │   ├── WriteError               3   the output could not be written
    │   ├── ExistsError              3   the output exists and is not ours to replace
    │   └── RestoreError             3   the network gave an unusable result
    └── GateError                    4   a quality gate failed

The number is the exit code when the error ends the run.  A message says what happened, with which
value, and what to do next, in one line.
"""


class EnhanceError(Exception):
    """Root of all errors raised on purpose; `exit_code` is what the process returns."""

    exit_code = 1


class UsageError(EnhanceError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


class CollisionError(UsageError):
    """Two inputs would write the same file."""


class DeviceError(UsageError):
    """A device, precision or backend was asked for that this machine does not have."""


class ModelError(UsageError):
    """A model name is unknown or a weights file does not fit its network."""


class ImageError(EnhanceError):
    """One picture failed; the rest of the batch goes on."""

    exit_code = 3


class ReadError(ImageError):
    """A picture could not be read: missing, empty, truncated, too large, or no picture at all."""


class WriteError(ImageError):
    """An output could not be written."""


class ExistsError(ImageError):
    """An output exists already and does not carry a matching record."""


class RestoreError(ImageError):
    """The network produced nothing that may be written (NaN, black, or strongly shifted)."""


class GateError(EnhanceError):
    """A quality gate failed: the figure asked for was not reached."""

    exit_code = 4
