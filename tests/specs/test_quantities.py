"""How numbers are shown."""

from __future__ import annotations

import math

import pytest

from lossbench.specs.quantities import column_title, interval_text, metric_title

ANY = -math.inf, math.inf


@pytest.mark.parametrize(
    ("half_width", "text"),
    [
        (0.3, "0.99 ± 0.30"),
        (0.005, "0.99 ± 0.01"),
        (0.0049, "0.987 ± 0.005"),
        (0.00036, "0.9874 ± 0.0004"),
        (0.00002, "0.98736 ± 0.00002"),
        (1e-17, "0.99 ± 0.00"),  # of equal numbers, whose mean is rounded
        (0.0, "0.99 ± 0.00"),
        (math.nan, "0.99"),
        (math.inf, "0.99 ± inf"),
    ],
)
def test_an_interval_that_would_read_zero_has_more_digits(half_width: float, text: str) -> None:
    assert interval_text(0.98736, half_width, ANY, 2) == text


def test_headings_of_columns_are_short_where_they_can_be() -> None:
    names = ("test_accuracy", "val_accuracy", "robust-accuracy-pgd", "length-corruption", "unseen-map-at-r")
    headings = ["test (%)", "val (%)", "PGD 0.1 (%)", "length/corruption", "unseen MAP@R"]
    assert list(map(column_title, names)) == headings


def test_ends_at_the_limits_have_the_digits_of_the_half_width() -> None:
    assert interval_text(99.998, 0.003, (0.0, 100.0), 2) == "99.998 [99.995, 100.000]"


def test_axes_say_degrees_and_numbers_have_a_true_minus_sign():
    assert metric_title("angular-gap") == "angular gap (degrees)"
    assert interval_text(-0.5, 0.1, ANY, 2) == "−0.50 ± 0.10"
    assert interval_text(-0.5, 0.1, (-0.55, 1), 2) == "−0.50 [−0.55, −0.40]"
