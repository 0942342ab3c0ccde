"""Features of any dimension in the plane, and how a picture says that it shows a projection."""

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import RunError
from ..records import Embedding, RunView
from ._plane import Panel

_MOST = 3000  # points of each split that t-SNE and UMAP place: minutes otherwise
_SEED = 0


def panel_of(run: RunView, projection: str = "pca") -> Panel:
    """The run in the plane: as it is for D = 2, else by `pca`, `tsne` or `umap`, its title saying so."""
    splits, weight, centers, note = run.splits, run.weight, run.centers, ""
    if run.dim != 2:
        splits, note = to_plane(splits, projection)
        weight = centers = None
    return Panel(run.title + note, run.caption, splits, run.class_names, weight, centers)


def to_plane(splits: Mapping[str, Embedding], method: str) -> tuple[dict[str, Embedding], str]:
    """Features (N, D) as (n, 2), and a note for the title. D = 1 gains a random height; D > 2 is placed by
    `pca` (of the training features), `tsne` or `umap` (all splits together, at most 3,000 points each).

    Raises RunError when umap-learn is not installed.
    """
    dim = splits["train"].features.shape[1]
    if dim == 1:
        return _with_height(splits), ""
    if method == "pca":
        return _principal(splits), f" (PCA of {dim}-D)"
    few = {name: _some(part) for name, part in splits.items() if len(part.labels)}
    placed = _METHODS[method](np.concatenate([part.features for part in few.values()]))
    ends = np.cumsum([len(part.labels) for part in few.values()])[:-1]
    parts = np.split(placed.astype(np.float32), ends)
    in_plane = {name: few[name]._replace(features=part) for name, part in zip(few, parts, strict=True)}
    return in_plane, f" ({_TITLES[method]} of {dim}-D)"


def _with_height(splits: Mapping[str, Embedding]) -> dict[str, Embedding]:
    height = 0.3 * np.abs(splits["train"].features).max()
    random = np.random.RandomState(_SEED)
    heights = {name: height * random.uniform(-1, 1, len(part.labels)) for name, part in splits.items()}
    return {
        name: part._replace(features=np.column_stack([part.features[:, 0], heights[name]]))
        for name, part in splits.items()
    }


def _principal(splits: Mapping[str, Embedding]) -> dict[str, Embedding]:
    train = splits["train"].features
    mean = train.mean(axis=0)
    basis = np.linalg.svd(np.cov(train.T))[0][:, :2]
    return {name: part._replace(features=(part.features - mean) @ basis) for name, part in splits.items()}


def _some(part: Embedding) -> Embedding:
    sampled = np.sort(np.random.RandomState(_SEED).permutation(len(part.labels))[:_MOST])
    kept = {name: array[sampled] for name, array in part._asdict().items() if array is not None}
    return Embedding(**kept)


def _tsne(points: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(1.0, (len(points) - 1) / 3))
    placed: np.ndarray = TSNE(perplexity=perplexity, init="pca", random_state=_SEED).fit_transform(points)
    return placed


def _umap(points: np.ndarray) -> np.ndarray:
    try:
        from umap import UMAP
    except ImportError:
        raise RunError("UMAP needs umap-learn: pip install 'lossbench[umap]'.") from None
    placed: np.ndarray = UMAP(random_state=_SEED, n_jobs=1).fit_transform(points)
    return placed


_METHODS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"tsne": _tsne, "umap": _umap}
_TITLES = {"tsne": "t-SNE", "umap": "UMAP"}
