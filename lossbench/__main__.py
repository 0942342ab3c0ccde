"""`lossbench` and `python -m lossbench`: run a command, turn a user's mistake into one sentence."""

import contextlib
import os
import re
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import LossbenchError, first_line, shown

_NO_MEMORY = re.compile("allocate memory|out of memory|start new thread|failed to map segment", re.IGNORECASE)
"""What Python, the C library, torch and CUDA say when a program gets no more memory, or no more threads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    json = "--json" in words
    try:
        os.getcwd()
    except FileNotFoundError:  # torch would not load
        return _fail("The working folder does not exist any more.", 1, {} if json else None)
    try:
        from .cli import app
        from .cli._streams import documents_alone, prepare_streams

        os.environ["MPLBACKEND"] = "agg"  # no window opens, and a notebook's backend may be missing here
        prepare_streams()
        with warnings.catch_warnings(), documents_alone() if json else contextlib.nullcontext():
            setattr(warnings, "showwarning", _show_warning)  # noqa: B010 (its type names each parameter)
            code = app(args=words, prog_name="lossbench", standalone_mode=not json)
    except LossbenchError as error:
        return _fail(str(error), error.exit_code, error.document if json else None)
    except KeyboardInterrupt:
        code = 130
    except SystemExit as stop:  # how Typer ends: the code of a command, or of wrong usage
        code = stop.code if isinstance(stop.code, int) else 1
    except Exception as error:
        if json and hasattr(error, "format_message"):  # wrong usage, which Typer otherwise prints itself
            return _fail(error.format_message(), 2, {})
        if sentence := _fault_of_machine(error):
            return _fail(sentence, 1, {} if json else None)
        raise
    finally:
        if arguments is None:  # this process ends: Ctrl-C while it unloads its libraries ends it at once
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    if code == 130:  # Typer says nothing of Ctrl-C
        return _fail("interrupted.", 130, {} if json else None)
    return code if isinstance(code, int) else 0


def _fault_of_machine(error: BaseException) -> str:
    """Why this machine cannot do what was asked for; empty for any other error."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{shown(error.filename)} cannot be used: {error.strerror}."
    while error.__cause__ is not None:  # libraries explain at length why one of their parts does not load
        error = error.__cause__
    reason = first_line(error)
    if isinstance(error, MemoryError) or _NO_MEMORY.search(reason):
        return f"There is too little memory ({reason})."
    if isinstance(error, ImportError) and error.path is not None and not error.path.endswith(".py"):
        return f"A library cannot be loaded ({reason}); is it whole, and is there enough memory?"
    return ""


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print what a library or a user's code warns of as a sentence, without the line of code."""
    from .cli._output import print_warning

    print_warning(str(message))


def _fail(sentence: str, code: int, document: Mapping[str, object] | None) -> int:
    """Print why a command ends, with `--json` also as a document. Returns the exit code."""
    from .cli._output import print_error, print_json, with_folders  # not needed by a help text

    print_error(sentence)
    if document is not None:
        status = {3: "diverged", 130: "interrupted"}.get(code, "failed")
        with contextlib.suppress(LossbenchError, BrokenPipeError):
            print_json({"status": status, **document, "reason": with_folders(sentence), "exit_code": code})
    return code


if __name__ == "__main__":
    sys.exit(main())
