"""`lossbench` and `python -m lossbench`: run a command, turn a user's mistake into one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from .cli import app
    from .errors import LossbenchError

    os.environ["MPLBACKEND"] = "agg"  # no window opens, and a notebook's backend may be missing here
    try:
        app(args=None if arguments is None else list(arguments), prog_name="lossbench")
    except LossbenchError as error:
        _say(f"lossbench: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("lossbench: interrupted.")
        return 130
    except SystemExit as stop:  # how Typer ends: the code of a command, or of wrong usage
        return stop.code if isinstance(stop.code, int) else 1
    return 0


def _say(text: str) -> None:
    from .cli._output import print_message  # not needed by a help text

    print_message(text)


if __name__ == "__main__":
    if sys.path[0] == os.getcwd():  # `python -m` puts it first; a file there may be named like a library's
        sys.path.append(sys.path.pop(0))
    sys.exit(main())
