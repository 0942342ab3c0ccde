"""`lossbench` and `python -m lossbench`: run a command, turn a user's mistake into one sentence."""

import contextlib
import errno
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import LossbenchError, first_line, shown

_NO_MEMORY = re.compile(
    "allocate memory|out of memory|start new thread|failed to map segment|error return without exception set",
    re.IGNORECASE,
)
"""What Python, the C library, torch and CUDA say when a program gets no more memory, or no more threads."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if arguments is not None:
        return _run(list(arguments))
    with _signals_of_process():
        code = _run(sys.argv[1:])
    if threading.active_count() > 1:
        from .specs.plugins import end_with_threads

        end_with_threads(code)
    return code


def _run(words: list[str]) -> int:
    json = "--json" in words
    try:
        os.getcwd()
    except FileNotFoundError:  # torch would not load
        return _fail("The working folder does not exist any more.", 1, {} if json else None)
    try:
        from .cli import app
        from .cli._streams import documents_alone, prepare_streams

        os.environ["MPLBACKEND"] = "agg"  # no window opens, and a notebook's backend may be missing here
        # what Matplotlib says of a home folder that it cannot write to, and of its fonts
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
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
    if code == 130:  # Typer says nothing of Ctrl-C
        return _fail("interrupted.", 130, {} if json else None)
    return (code if isinstance(code, int) else 0) or _code_of_output()


@contextlib.contextmanager
def _signals_of_process() -> Iterator[None]:
    """In the block a signal that would end this process at once ends the command as Ctrl-C does, so that it
    removes its temporary files; training handles them itself. Afterwards, while libraries are unloaded, it
    ends the process at once."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    handled = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _code_of_output() -> int:
    """The exit code of a command that did its work, also where its output could not be written."""
    from .cli._streams import output_failure

    if (failure := output_failure()) is None:
        return 0
    if isinstance(failure, BrokenPipeError):
        return 141  # as a shell says of a program that SIGPIPE ended
    return _fail(f"Standard output cannot be written: {failure.strerror or failure}.", 1, None)


def _fault_of_machine(error: BaseException) -> str:
    """Why this machine cannot do what was asked for; empty for any other error."""
    if isinstance(error, OSError) and error.strerror and error.errno != errno.ENOMEM:
        what = "A file or connection" if error.filename is None else shown(error.filename)
        return f"{what} cannot be used: {error.strerror}."
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
        print_json({"status": status, **document, "reason": with_folders(sentence), "exit_code": code})
    return code


if __name__ == "__main__":
    sys.exit(main())
