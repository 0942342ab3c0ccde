"""What C class directions in D dimensions can satisfy at all (no torch or numpy: listings stay instant).

Ten directions in a plane are at most 36 degrees apart. A margin above that cannot hold for all
classes at once, and a scale below a bound leaves even a perfect sample with a low probability.
Sources: CosFace (Wang et al. 2018, eqs. 6-7), ArcFace (Deng et al. 2019), Rankin (1955) for C <= 2D.
"""

import functools
import math

USEFUL_PROBABILITY = 0.9  # a "useful" scale lets a perfect sample reach at least this
_SEARCHABLE = 50_000  # C * C * D of a search that still takes well under a second

Cosines = list[tuple[float, int]]
"""Pairs of a cosine to other classes and the number of classes at that cosine."""


def neighbour_angle(classes: int, dim: int) -> float:
    """The largest possible smallest angle (radians) between C directions in D dimensions.

    For sizes too large to search: the angle at which C caps would fill the sphere, an upper bound.
    """
    if classes < 2 or (dim == 1 and classes == 2):
        return math.pi
    if dim == 1:
        return 0.0
    if dim == 2:
        return 2 * math.pi / classes
    if classes <= dim + 1:
        return math.acos(-1 / (classes - 1))
    if classes <= 2 * dim:
        return math.pi / 2
    if not _searchable(classes, dim):
        return _cap_packing_angle(classes, dim)
    from .directions import smallest_angle, spread_directions

    return smallest_angle(spread_directions(classes, dim))


def largest_angular_margin(classes: int, dim: int) -> float:
    """Largest m (radians) of cos(theta + m) that a perfect sample of every class can satisfy."""
    return neighbour_angle(classes, dim)


def largest_cosine_margin(classes: int, dim: int) -> float:
    """Largest m of cos(theta) - m that can hold for all classes: 1 - cos(neighbour angle), CosFace eq. 7."""
    return 1 - math.cos(neighbour_angle(classes, dim))


def largest_binary_margin(classes: int, dim: int) -> float:
    """Largest m of SphereFace2 with t = 3: own and other scores of a perfect sample are 2m apart."""
    return 1 - (1 - largest_cosine_margin(classes, dim) / 2) ** 3


def best_probability(classes: int, dim: int, scale: float, target: float = 1.0) -> float:
    """Softmax probability of a sample that lies on its class direction, the directions being spread.

    `target` is the sample's own logit divided by the scale: 1 without margin, cos(m) for ArcFace,
    1 - m for CosFace. The other logits are scale * cosine. The mean over classes is returned.
    """
    rows = _other_cosines(classes, dim)
    return math.fsum(_probability(row, scale, target) for row in rows) / len(rows)


def _probability(others: Cosines, scale: float, target: float) -> float:
    gaps = [(scale * (cosine - target), count) for cosine, count in others]
    largest = max([0.0, *(gap for gap, _ in gaps)])
    target_power = math.exp(-largest)
    return target_power / (target_power + math.fsum(count * math.exp(gap - largest) for gap, count in gaps))


@functools.lru_cache(maxsize=64)
def _other_cosines(classes: int, dim: int) -> list[Cosines]:
    """For each class, the cosines to the others; a single row where they are the same for every class.

    For sizes too large to search: the mean cosine of spread directions, -1/(C-1), as CosFace eq. 6 assumes.
    """
    if dim == 2:
        return [[(math.cos(2 * math.pi * j / classes), 1) for j in range(1, classes)]]
    if classes <= dim + 1 or not (classes <= 2 * dim or _searchable(classes, dim)):
        return [[(-1 / max(classes - 1, 1), classes - 1)]]
    from .directions import spread_directions  # numpy would double the time of a listing

    directions = spread_directions(classes, dim)
    cosines = enumerate((directions @ directions.T).tolist())
    return [[(cosine, 1) for j, cosine in enumerate(row) if j != i] for i, row in cosines]


def _searchable(classes: int, dim: int) -> bool:
    return dim == 1 or classes**2 * dim <= _SEARCHABLE


def smallest_useful_scale(classes: int, dim: int, probability: float = USEFUL_PROBABILITY) -> float:
    """Smallest s with which a perfect sample without margin reaches `probability`; inf if none does."""
    low, high = 0.0, 1.0
    while best_probability(classes, dim, high) < probability:
        low, high = high, 2 * high
        if high > 1e4:
            return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if best_probability(classes, dim, middle) < probability else (low, middle)
    return high


def smallest_length_weight(
    scale: float,
    lower_margin: float,
    upper_margin: float,
    lower_length: float,
    upper_length: float,
    **_: float,
) -> float:
    """The weight lambda_g from which MagFace's loss has one best length, see Meng et al. 2021, eq. 9."""
    lower, upper = lower_length**2, upper_length**2
    slope = (upper_margin - lower_margin) / (upper_length - lower_length)
    return scale * lower * upper / (upper - lower) * slope


def _cap_packing_angle(classes: int, dim: int) -> float:
    from scipy.special import betaincinv  # slow to import and rarely needed

    # a cap of half angle a < 90 degrees covers I(sin^2 a; (D-1)/2, 1/2) / 2 of the sphere
    squared_sine = float(betaincinv((dim - 1) / 2, 0.5, min(1.0, 2 / classes)))
    return min(math.pi / 2, 2 * math.asin(math.sqrt(squared_sine)))
