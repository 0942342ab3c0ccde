"""The words of each figure besides names and numbers of runs: axes, legends, and the sentence below."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from lossbench.specs import catalog
from tests.figures.views import View, directions, snapshots

PLANE = {"direction of a class weight, not a boundary", "class center"}
PCA = {"projection": "pca"}


def view(**given) -> View:
    return View(centers=5 * directions(), **given)


def sweep() -> list[View]:
    return [
        View(seed=seed, settings={"loss": "center", "lambda": lam, "alpha": alpha})
        for lam in (0.1, 0.2) for alpha in (0.3, 0.5) for seed in (0, 1)
    ]  # fmt: skip


ANGLES = np.linspace(0, np.pi, 31)
CASES = {
    "angles": (
        [view(snapshots=snapshots())],
        {"split": "test"},
        {"test features (%)", "angle (degrees)", "mean angle (degrees)", "epoch", "to the own class",
         "to the nearest other class", "mean"},
    ),
    "attacked": (
        [view()],
        {},
        PLANE
        | {"as they are: 100.0 % right", "after FGSM: 66.7 % right", "classified as another class",
           "far from the mean of every class",
           "the first 150 test images; FGSM changes each pixel by at most 0.1 (1: black to white)"},
    ),
    "confusion": ([view()], {}, {"predicted", "true", "% of the true class", "numbers: test images; at the right: accuracy of the class"}),
    "curves": (
        sweep(),
        {"over": "lambda", "metric": "test_accuracy"},
        {"λ", "test accuracy (%)", "α = 0.3", "α = 0.5",
         "bands: 95 % intervals of the mean over seeds; small points: seeds"},
    ),
    "distances": (
        [view()],
        {"split": "test", "view": "raw"},
        PLANE
        | {"distance", "a pair of one class; 1 % of them are farther apart",
           "a pair of two classes; 1 % of them are nearer", "distances of pairs of one class",
           "distances of pairs of two classes"},
    ),
    "features": (
        [view()], {"split": "both", "view": "raw", **PCA}, PLANE | {"train features", "test features"}
    ),
    "hardest": (
        [view(pictures=np.zeros((200, 8, 8), np.uint8))],
        {},
        {"the most confident errors; below each image: true class → predicted class"},
    ),
    "heatmap": (sweep(), {"over": "lambda,alpha", "metric": "test_accuracy"}, {"λ", "α", "test accuracy (%)", "mean ± 95 % interval over seeds; outlined: best"}),
    "lambda-grid": ([view()], {"split": "test", **PCA}, PLANE),
    "leaderboard": ([view()], {"metric": "test_accuracy"}, {"test accuracy (%)\nmore is better →", "1 seed"}),
    "loss-surface": (
        [view()],
        {"split": "test", "label": ""},
        {"loss of a sample of class 0",
         "arrows: negative gradient;\nthick line: weight of the class; thin lines: those of the others"},
    ),
    "regions": (
        [view()],
        {"split": "test"},
        PLANE
        | {"colour of the class with the largest score", "boundary between classes",
           "the same, where the loss of that class, with its\nmargin, exceeds log 2 (probability below 1/2)"},
    ),
    "ring": (
        [view()],
        {"split": "test"},
        {"strokes: test features; outside, density of each class's angle;\n"
         "inside, arc over 95 % of each class; grey rays: class weights"},
    ),
    "roc": ([view()], {"split": "test"}, {"false accept rate", "true accept rate", "chance"}),
    "target-logits": (
        [view(curve=(ANGLES, np.cos(np.minimum(ANGLES + 0.5, np.pi))))],
        {},
        {"angle to the class direction (degrees)", "equivalent target logit / scale", "cosine, no margin",
         "Center (λ = 0.003, α = 0.5)", "18°: half way\nto the next class",
         "Equivalent logit: the target logit that gives the loss its value if the other logits had no margin.\n"
         "It jumps where a loss changes its formula: ArcFace beyond 180° − m, CurricularFace for hard samples."},
    ),
    "training": ([view()], {}, {"epoch", "Center, λ = 0.003, α = 0.5", "softmax", "center"}),
}  # fmt: skip


def words_of(figure: Figure) -> set[str]:
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    texts = [text.get_text() for legend in legends for text in (*legend.get_texts(), legend.get_title())]
    axes = [each for axes in figure.axes for each in (axes, *axes.child_axes)]
    texts += [label for each in axes if each.axison for label in (each.get_xlabel(), each.get_ylabel())]
    texts += [
        text.get_text() for each in figure.axes for text in each.texts if text.get_gid() in (None, "name")
    ]
    return {*texts, figure.get_supxlabel()} - {""}


@pytest.mark.parametrize("name", CASES)
def test_words(name: str) -> None:
    runs, choices, expected = CASES[name]
    figure = Figure()
    catalog.load("figures", name)(figure, runs, **choices)
    captions = {part for run in runs for part in run.caption.split(" · ")}
    found = {words for words in words_of(figure) - captions if not words.replace(".", "").isdigit()}
    if name == "roc":
        found = {words for words in found if "AUC" not in words}
    assert found == expected
