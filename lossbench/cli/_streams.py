"""Standard output and error that accept any text: in whatever encoding, and where they are closed."""

import codecs
import contextlib
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from io import TextIOWrapper
from typing import TextIO, cast

_ERRORS = "lossbench-spell-out"
_SPELLED = str.maketrans(
    {
        **dict.fromkeys("−–—‑·─━═", "-"),
        **dict.fromkeys("│┃║", "|"),
        **{"±": "+/-", "×": "x", "∞": "inf", "≤": "<=", "≥": ">=", "→": "->", "…": "...", "‖": "||"},
        **{"°": " deg", "“": '"', "”": '"', "‘": "'", "’": "'", "\xa0": " "},
    }
)
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}


def prepare_streams() -> None:
    """Let standard output and error write what their encoding does not have in other letters, and give those
    that are closed a place to write to."""
    codecs.register_error(_ERRORS, _spell_out)
    _Documents.failure = None
    if not re.fullmatch("[1-9][0-9]*", os.environ.get("COLUMNS", "")):
        os.environ.pop("COLUMNS", None)  # some containers say that a terminal has 0 columns
    for name in ("stdin", "stdout", "stderr"):  # in this order they get the descriptors 0, 1 and 2
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # what a notebook or a test puts there may not know this
        with contextlib.suppress(AttributeError, ValueError):
            cast(TextIOWrapper, stream).reconfigure(errors=_ERRORS)


@contextlib.contextmanager
def documents_alone() -> Iterator[None]:
    """Let standard output have JSON documents and nothing else: what other code prints goes to standard
    error, also from libraries in C and other processes, which write to the descriptor."""
    with contextlib.ExitStack() as stack:
        _Documents.stream = sys.stdout
        stack.callback(setattr, _Documents, "stream", None)
        with contextlib.suppress(
            OSError, ValueError, AttributeError
        ):  # a notebook or test has no descriptors
            output, errors = sys.stdout.fileno(), sys.stderr.fileno()
            sys.stdout.flush()
            documents = os.fdopen(os.dup(output), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
            _Documents.stream = stack.enter_context(documents)
            stack.callback(os.dup2, documents.fileno(), output)
            os.dup2(errors, output)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


class _Documents:
    """Where JSON documents go; None: to standard output. And why standard output could not be written."""

    stream: TextIO | None = None
    failure: OSError | None = None


def document_stream() -> TextIO:
    """Standard output, also inside `documents_alone`."""
    return _Documents.stream or sys.stdout


def drop_output(failure: OSError) -> None:
    """Write nothing more to standard output, which could not be written."""
    _Documents.failure = failure
    with contextlib.suppress(OSError):
        # what is not written yet would fail once more when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), document_stream().fileno())


def output_failure() -> OSError | None:
    """Why the output of this command could not be written, if so."""
    return _Documents.failure


def printable(text: str, stream: TextIO) -> str:
    """The text as the stream will write it, so that its width is known before. Control characters, which
    names of files and classes may have, do not reach a terminal."""
    codecs.register_error(_ERRORS, _spell_out)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = text.translate(_CONTROLS)
    return text.encode(encoding, _ERRORS).decode(encoding)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sees the stream while it is written, whatever FORCE_COLOR says."""
    return not stream.closed and stream.isatty()


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(map(_spelled, letters)), error.end


def _spelled(letter: str) -> str:
    """A character in ASCII: the name of a Greek letter, one without its accent, else a question mark."""
    name = unicodedata.name(letter, "")
    if name.startswith(("GREEK SMALL LETTER ", "GREEK CAPITAL LETTER ")) and "WITH" not in name:
        return name.rpartition(" ")[2].lower().replace("lamda", "lambda")
    if name.startswith("BOX DRAWINGS") and letter not in "─━═│┃║":
        return "+"
    spelled = letter.translate(_SPELLED)
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return plain or "?"
