"""Messages of other libraries inside of ours."""

from __future__ import annotations

import urllib.error

import pytest

from lossbench.errors import first_line, one_line


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
