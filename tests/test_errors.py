"""Messages of other libraries inside of ours."""

from __future__ import annotations

import pickle
import urllib.error

import pytest

from lossbench import errors
from lossbench.errors import at_most, code_of_user, first_line, one_line, shown, unknown_name, with_class


@pytest.mark.parametrize(
    ("error", "first", "whole"),
    [
        (PermissionError(13, "Permission denied", "/x"), "Permission denied: '/x'", None),
        (
            OSError("read failed: [Errno 5] Input/output error\nat 7"),
            "read failed: Input/output error",
            "{} at 7",
        ),
        (urllib.error.URLError(OSError(-3, "No such name")), "<urlopen error No such name>", None),
        (ValueError(), "ValueError", None),
    ],
)
def test_numbers_of_errors_are_left_out(error: Exception, first: str, whole: str | None) -> None:
    assert first_line(error) == first
    assert one_line(error) == (whole or "{}").format(first)


def test_exit_codes() -> None:
    codes = {
        "UsageError": 2,
        "UnknownName": 2,
        "DataError": 1,
        "InvalidData": 2,
        "RunError": 1,
        "ForeignFile": 1,
        "Busy": 1,
    }
    codes |= {"CodeFailed": 1, "Diverged": 3, "Interrupted": 130, "LossbenchError": 1}
    found = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    of_ours = {name: kind for name, kind in found.items() if issubclass(kind, errors.LossbenchError)}
    assert {name: kind.exit_code for name, kind in of_ours.items()} == codes
    assert issubclass(errors.UsageError, ValueError)


def test_a_name_that_is_unknown() -> None:
    text = "Unknown loss 'cente'; did you mean centre or center?"
    assert str(unknown_name("loss", "cente", ["arcface", "center"], ["centre"])) == text
    assert str(unknown_name("loss", 5, "ba")) == "Unknown loss '5'; there are: a, b."
    many = [f"{number:02}" for number in range(21)]
    assert list(at_most(many)) == [*many[:20], "1 more"]
    assert at_most(many[:20]) == many[:20]
    assert str(unknown_name("loss", "?", many)).endswith("18, 19, 1 more.")


def test_names_of_others_are_shown_on_one_short_line() -> None:
    assert shown("a\nb\x1b") == r"a\nb\x1b"
    assert shown("x" * 300) == "x" * 300
    assert shown("a" * 150 + "b" * 151) == "a" * 140 + " ... " + "b" * 140


def test_what_a_file_or_the_code_of_others_does_is_a_sentence() -> None:
    place = "and is not replaced; move it, or choose another place with --output or --results."
    assert str(errors.ForeignFile("a.png")) == f"a.png is not a file of lossbench {place}"
    changed = f"a.png was changed since lossbench wrote it {place}"
    assert str(errors.ForeignFile("a.png", changed=True)) == changed
    assert with_class(KeyError()) == "KeyError"
    assert with_class(ValueError("no\nnumber")) == "ValueError: no"
    for failure in (ValueError("no"), SystemExit("no")):
        with pytest.raises(errors.RunError) as found, code_of_user("It failed", errors.RunError, " here"):
            raise failure
        assert str(found.value) == f"It failed: {type(failure).__name__}: no here."
    with pytest.raises(errors.UsageError, match=r"^It failed: no\.$"), code_of_user("It failed"):
        raise type("no", (Exception,), {})
    with pytest.raises(KeyboardInterrupt), code_of_user("It failed"):
        raise KeyboardInterrupt


def test_an_unknown_name_reaches_another_process_whole() -> None:
    error = unknown_name("loss", "ab\n" * 200, ["softmax"])
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert "\n" not in str(error) and len(str(error)) < 400


def test_at_most_three_names_that_are_near_enough_are_offered() -> None:
    four = ["aaab", "aaac", "aaad", "aaae"]
    assert str(unknown_name("loss", "aaa", four)).count(" or ") == 2
    assert str(unknown_name("loss", "ab", ["abxxxx"])).endswith("did you mean abxxxx?")
    assert str(unknown_name("loss", "ab", ["abxxxxx"])).endswith("there are: abxxxxx.")
