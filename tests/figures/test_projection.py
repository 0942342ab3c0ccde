"""Features of any dimension in the plane: exact where that can be said, labelled always."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA

from lossbench.errors import RunError
from lossbench.figures._projection import to_plane
from lossbench.records import Embedding


def splits(dim, train=200, test=60):
    random = np.random.RandomState(dim)
    stretch = np.linspace(3, 0.5, dim)

    def part(count):
        points = (5 + stretch * random.randn(count, dim)).astype(np.float32)
        labels = np.arange(count) % 10
        return Embedding(points, labels, (labels + 1) % 10, random.rand(count, 10).astype(np.float32))

    return {"train": part(train), "test": part(test)}


@pytest.mark.parametrize("dim", [3, 8])
def test_pca_is_that_of_the_training_features_up_to_sign(dim):
    own = splits(dim)
    found, note = to_plane(own, "pca")
    reference = PCA(2).fit(own["train"].features.astype(np.float64))
    for name, part in found.items():
        expected = reference.transform(own[name].features.astype(np.float64))
        signs = np.sign((part.features * expected).sum(axis=0))
        np.testing.assert_allclose(part.features * signs, expected, atol=1e-4)
        np.testing.assert_array_equal(part.labels, own[name].labels)
        np.testing.assert_array_equal(part.scores, own[name].scores)
    assert note == f" (PCA of {dim}-D)"


def test_pca_of_a_plane_keeps_all_distances():
    own = splits(2)
    flat = {n: part._replace(features=np.pad(part.features, ((0, 0), (0, 3)))) for n, part in own.items()}
    found, _ = to_plane(flat, "pca")
    for name, part in found.items():
        before = np.linalg.norm(own[name].features[:, None] - own[name].features[None], axis=2)
        after = np.linalg.norm(part.features[:, None] - part.features[None], axis=2)
        np.testing.assert_allclose(after, before, atol=1e-4)


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_one_dimension_gains_a_height_that_means_nothing(method):
    own = splits(1)
    found, note = to_plane(own, method)
    assert note == ""
    for name, part in found.items():
        np.testing.assert_array_equal(part.features[:, 0], own[name].features[:, 0])
        heights = part.features[:, 1]
        limit = 0.3 * np.abs(own["train"].features).max()
        assert -limit < heights.min() < -limit / 2
        assert limit / 2 < heights.max() < limit  # on both sides of the axis
        assert abs(np.corrcoef(heights, part.labels)[0, 1]) < 0.3
    again, _ = to_plane(own, method)
    np.testing.assert_array_equal(again["test"].features, found["test"].features)


def clusters(count=20):
    """Three far clusters in 6-D, the same in both splits."""
    random = np.random.RandomState(0)
    labels = np.arange(3 * count) % 3
    points = 50 * np.eye(6)[labels] + random.randn(3 * count, 6)
    part = Embedding(points.astype(np.float32), labels, labels)
    return {"train": part, "test": part._replace(features=part.features + 0.01)}


def together(part):
    """Whether every point is nearest to one of its own class."""
    distances = np.linalg.norm(part.features[:, None] - part.features[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return (part.labels[distances.argmin(axis=1)] == part.labels).all()


def test_tsne_is_labelled_keeps_neighbours_and_is_the_same_every_time():
    own = clusters()
    found, note = to_plane(own, "tsne")
    assert note == " (t-SNE of 6-D)"
    assert list(found) == ["train", "test"]
    for part in found.values():
        assert part.features.shape == (60, 2)
        assert part.features.dtype == np.float32
        assert together(part)
    again, _ = to_plane(own, "tsne")
    np.testing.assert_array_equal(again["test"].features, found["test"].features)


def test_tsne_of_a_few_points_and_an_empty_split():
    few = {name: Embedding(*(array[:5] for array in part[:3])) for name, part in clusters().items()}
    few["val"] = Embedding(*(array[:0] for array in few["train"][:3]))
    found, _ = to_plane(few, "tsne")
    assert found["test"].features.shape == (5, 2)
    assert "val" not in found


def test_of_many_points_some_are_placed_with_what_belongs_to_them(monkeypatch):
    monkeypatch.setattr("lossbench.figures._projection._MOST", 40)
    monkeypatch.setitem(to_plane.__globals__["_METHODS"], "tsne", lambda points: points[:, :2])
    own = splits(3)
    found, _ = to_plane(own, "tsne")
    for name, part in found.items():
        assert len(part.features) == len(part.labels) == len(part.scores) == 40
        place = {tuple(point[:2]): n for n, point in enumerate(own[name].features)}
        rows = [place[tuple(point)] for point in part.features]
        np.testing.assert_array_equal(part.labels, own[name].labels[rows])
        np.testing.assert_array_equal(part.scores, own[name].scores[rows])
    assert len(to_plane(own, "pca")[0]["train"].labels) == 200  # all of them, which costs nothing


@pytest.mark.filterwarnings("ignore")  # of numba and umap-learn, about themselves
def test_umap_is_labelled_and_keeps_neighbours():
    if importlib.util.find_spec("umap") is None:
        pytest.skip("umap-learn is not installed: pip install 'lossbench[umap]'")
    found, note = to_plane(clusters(), "umap")
    assert note == " (UMAP of 6-D)"
    for part in found.values():
        assert part.features.shape == (60, 2)
        assert together(part)


def test_without_umap_learn_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(RunError, match=r"^UMAP needs umap-learn: pip install 'lossbench\[umap\]'\.$"):
        to_plane(clusters(), "umap")
