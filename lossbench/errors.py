"""The failures a user can cause, as a small tree; each knows its exit code.

LossbenchError            1   something asked for could not be done
├── UsageError            2   a name, value or option that makes no sense (also a ValueError)
│   └── UnknownName       2   a name that nothing here has
├── DataError             1   a data set that is missing, cut short or altered
│   └── InvalidData       2   a user's data that cannot be used (also a UsageError)
├── RunError              1   a stored run that cannot be read, written or continued
│   ├── Busy              1   a run that another process is training right now
│   └── CodeFailed        1   user code that fails on a stored run
├── Diverged              3   a loss that became NaN or infinite
└── Interrupted         130   stopped on request, state saved

The message is one sentence for the user. A traceback is for our own mistakes only.
"""

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

_MOST_NAMES = 20  # in a sentence
_NUMBERS = re.compile(
    r"\[(?:Errno|WinError) -?\d+\] ?"
)  # of the system's errors, also inside of other messages


class LossbenchError(Exception):
    """Base of everything the command line answers with one sentence.

    document: what `--json` prints besides the sentence, of a command that found something all the same.
    """

    exit_code = 1
    document: Mapping[str, object] = {}


class UsageError(LossbenchError, ValueError):
    """A name, value or option that makes no sense."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that nothing here has. what: its kind and the name, like "loss 'sofmax'"; hint: what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)  # as arguments, so that it can be pickled
        self.what, self.hint = what, hint

    def __str__(self) -> str:
        return f"Unknown {self.what}; {self.hint}"


class DataError(LossbenchError):
    """A data set that is missing, cut short or altered."""


class InvalidData(DataError, UsageError):
    """A user's data that cannot be used; the message says where and why."""

    exit_code = 2


class RunError(LossbenchError):
    """A stored run that cannot be read, written or continued."""


class ForeignFile(RunError):
    """A file that lossbench did not write, or that was changed since, is where lossbench would write one."""

    def __init__(self, path: object, *, changed: bool = False) -> None:
        what = "was changed since lossbench wrote it" if changed else "is not a file of lossbench"
        super().__init__(
            f"{path} {what} and is not replaced; move it, or choose another place with --output or --results."
        )


class Busy(RunError):
    """A run that another process is training right now."""


class CodeFailed(RunError):
    """User code that fails on a stored run."""


class Diverged(LossbenchError):
    """A loss that became NaN or infinite."""

    exit_code = 3


class Interrupted(LossbenchError):
    """Training stopped on request after its state was saved."""

    exit_code = 130


@contextlib.contextmanager
def code_of_user(what: str, kind: type[LossbenchError] = UsageError, hint: str = "") -> Iterator[None]:
    """Run user code, which may raise anything: each error but Ctrl-C is of this kind, with one sentence
    that begins with `what` and ends with `hint`."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise kind(f"{what}: {with_class(error)}{hint}.") from None


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without the numbers of errors, or its class where it has none."""
    return (_NUMBERS.sub("", str(error)).strip().splitlines() or [type(error).__name__])[0]


def with_class(error: BaseException) -> str:
    """The class of an error and the first line of its message, like 'ValueError: no number'."""
    name, line = type(error).__name__, first_line(error)
    return name if line == name else f"{name}: {line}"


def one_line(error: BaseException) -> str:
    """All lines of an error's message as one, as `first_line`."""
    return " ".join(_NUMBERS.sub("", str(error)).split()) or type(error).__name__


def shown(name: object) -> str:
    """A name that is not ours, such as that of a file, in a sentence: on one line, and not too long."""
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(name))
    return text if len(text) <= 300 else f"{text[:140]} ... {text[-140:]}"


def at_most(names: Sequence[str]) -> Sequence[str]:
    """The first names for a sentence, and how many more there are."""
    return names if len(names) <= _MOST_NAMES else [*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} more"]


def unknown_name(kind: str, name: object, known: Iterable[str], aliases: Iterable[str] = ()) -> UnknownName:
    """The error for a `name` that is not `known`, with near matches among the known names and `aliases`."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), [*known, *aliases], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(at_most(known))}."
    return UnknownName(f"{kind} '{shown(name)}'", hint)
