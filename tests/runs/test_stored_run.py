"""Stored runs as figures see them, compared with what was trained and stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lossbench.data._splits import load_splits
from lossbench.errors import DataError, RunError
from lossbench.figures._projection import panel_of
from lossbench.runs.model import load_model
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun
from lossbench.training.process import Placement
from lossbench.training.train import train
from tests.helpers.runs import Recorder, run, small

CONFIGS = {
    "center": small("center"),
    "arcface": small("arcface", seed=1),
    "triplet": small("triplet", epochs=1),
    "unseen": small("center", unseen=(0, 4), epochs=1),
    "solid": small("softmax", feature_dim=3, epochs=1),
    "tuned": small("softmax", eval_split="val", epochs=1),
}


@pytest.fixture(scope="session")
def views(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewing")
    placement = Placement("cpu", None, 1, snapshots=3)
    for config in CONFIGS.values():
        watching = Recorder()
        train(config, Store(folder), placement=placement, observer=watching, stop=watching.stop)
    return {name: StoredRun(Store(folder).run(config)) for name, config in CONFIGS.items()}


def test_titles_settings_and_caption(views):
    view = views["center"]
    assert (view.title, view.seed, view.cosine) == ("Center", 0, False)
    assert view.name == CONFIGS["center"].run_name
    assert view.settings["loss"] == "center"
    assert view.settings["lambda"] == CONFIGS["center"].terms[1].weight
    assert view.settings["epochs"] == 3
    names = list(view.settings)
    assert max(map(names.index, ("lambda", "alpha"))) < min(map(names.index, ("epochs", "network", "unseen")))
    assert view.settings["feature_dim"] == 2
    assert "seed" not in view.settings
    assert "terms" not in view.settings
    assert view.caption == f"{view.subtitle} · {100 * view.result.test_accuracy:.2f} % test, seed 0"
    assert views["unseen"].caption.split(" · ")[1] == "unseen 0, 4"
    assert views["tuned"].caption.endswith("% val, seed 0")
    assert views["arcface"].cosine
    assert views["arcface"].settings["margin"] == dict(CONFIGS["arcface"].terms[0].settings)["margin"]


def test_several_directions_of_a_class_are_not_those_of_other_classes(tmp_path):
    """Two of each of three classes are fewer than the ten labels there are."""
    config = small("subcenter-arcface", unseen="3-9", epochs=1, batch_size=50)
    run(config, tmp_path)
    assert Store(tmp_path).run(config).features()[1]["weight"].shape == (6, 2)
    assert StoredRun(Store(tmp_path).run(config)).weight is None


def test_a_setting_that_two_terms_have_is_named_with_its_term(tmp_path):
    config = small("arcface + cosface", epochs=1)
    run(config, tmp_path)
    settings = StoredRun(Store(tmp_path).run(config)).settings
    assert "margin" not in settings
    assert settings["arcface.margin"] != settings["cosface.margin"]


def test_numbers_are_those_of_the_result_and_those_measured_later(views):
    view = views["center"]
    assert view.numbers["test_accuracy"] == view.result.test_accuracy
    assert view.numbers["spread-gap"] == view.result.metrics["spread-gap"]
    assert "roc-auc" not in view.numbers
    view.folder.write_metrics({"roc-auc": 0.75, "eer": None})
    try:
        again = StoredRun(view.folder)
        assert again.numbers["roc-auc"] == 0.75
        assert "eer" not in again.numbers
    finally:
        view.folder.write_metrics({})


def test_what_was_measured_later_on_unseen_classes_is_no_number_of_the_others(views):
    view = views["unseen"]
    view.folder.write_metrics({"roc-auc": 0.75, "unseen-roc-auc": 0.5})
    try:
        numbers = StoredRun(view.folder).numbers
        assert (numbers["roc-auc"], numbers["unseen-roc-auc"]) == (0.75, 0.5)
    finally:
        view.folder.write_metrics({})


def test_epochs_hold_what_was_written_after_each(views):
    epochs = views["center"].epochs
    assert [record.epoch for record in epochs] == [1, 2, 3]
    assert set(epochs[0].terms) == {"softmax", "center"}
    assert all(record.spread > 0 and record.gap > 0 for record in epochs)
    assert epochs[-1].loss == pytest.approx(views["center"].result.loss)


def test_splits_are_the_stored_features(views):
    view = views["center"]
    parts = load_splits(view.config.split_spec, None)
    assert list(view.splits) == ["train", "val", "test"]
    for name, part in view.splits.items():
        np.testing.assert_array_equal(part.labels, getattr(parts, name).labels.numpy())
    right = (view.splits["test"].predictions == view.splits["test"].labels).mean()
    assert right == view.numbers["test_accuracy"]
    assert view.weight.shape == view.centers.shape == (10, 2)
    assert "test" not in views["tuned"].splits


def test_classes_keep_their_own_numbers_whichever_were_kept_out(views):
    view = views["unseen"]
    assert set(view.splits["train"].labels) == set(range(10)) - {0, 4}
    assert set(view.splits["unseen"].labels) == {0, 4}
    assert set(view.splits["test"].predictions) <= set(range(10)) - {0, 4}
    for rows in (view.weight, view.centers, *view.snapshots.directions["weight"]):
        assert np.isnan(rows[[0, 4]]).all()
        assert np.isfinite(rows[[1, 2, 3, 5, 6, 7, 8, 9]]).all()
    assert set(view.snapshots.labels) == set(range(10)) - {0, 4}
    test = view.splits["test"]
    stored = view.folder.features()[0]["test"]
    np.testing.assert_array_equal(test.labels, np.array([1, 2, 3, 5, 6, 7, 8, 9, 0, 4])[stored.labels])


def test_a_panel_is_the_run_in_the_plane(views):
    panel = panel_of(views["center"])
    np.testing.assert_array_equal(panel.splits["test"].features, views["center"].splits["test"].features)
    np.testing.assert_array_equal(panel.weight, views["center"].weight)
    assert (panel.title, panel.subtitle) == ("Center", views["center"].caption)
    flat = panel_of(views["solid"], "pca")
    assert flat.title == "Softmax (PCA of 3-D)"
    assert flat.splits["test"].features.shape[1] == 2
    assert flat.weight is None
    assert views["solid"].weight.shape == (10, 3)


@pytest.mark.parametrize("name", ["center", "arcface", "triplet", "unseen"])
def test_scores_of_the_test_features_are_those_stored(views, name):
    part = views[name].splits["test"]
    np.testing.assert_allclose(views[name].scores(part.features), part.scores, rtol=1e-4, atol=1e-4)


def model_loss(view):
    return load_model(view.folder)[1].double().eval()


@pytest.mark.parametrize("name, label", [("center", 3), ("arcface", 7), ("unseen", 5)])
def test_loss_values_are_the_loss_itself_and_gradients_its_slope(views, name, label):
    view = views[name]
    points = view.splits["test"].features[:40].astype(np.float64)
    values, gradients = view.loss_values(points, label)
    loss = model_loss(view)
    own = torch.tensor([view.config.labels.index(label)])

    def of(rows):
        with torch.no_grad():
            return np.array([float(loss(torch.from_numpy(row[None]), own)) for row in rows])

    np.testing.assert_allclose(values, of(points), rtol=1e-4, atol=1e-5)
    batch = float(loss(torch.from_numpy(points), own.repeat(len(points))).detach())
    assert values.mean() == pytest.approx(batch, rel=1e-4)
    step = 1e-5
    for axis in (0, 1):
        moved = step * np.eye(2)[axis]
        slope = (of(points + moved) - of(points - moved)) / (2 * step)
        np.testing.assert_allclose(gradients[:, axis], slope, rtol=2e-3, atol=2e-4)


def test_asking_for_losses_moves_no_center(views):
    view = views["center"]
    points = view.splits["test"].features[:5]
    first = view.loss_values(points, 0)[0]
    np.testing.assert_array_equal(view.loss_values(points, 0)[0], first)


def test_a_loss_on_pairs_has_no_value_for_one_sample(views):
    with pytest.raises(RunError, match="Triplet compares samples with each other"):
        views["triplet"].loss_values(np.zeros((3, 2)), 0)


def test_target_logits_are_known_for_angular_classifiers_alone(views):
    angles, logits = views["arcface"].target_logits()
    margin = views["arcface"].settings["margin"]
    middle = angles < 2.5
    np.testing.assert_allclose(logits[middle], np.cos(angles[middle] + margin), atol=1e-5)
    assert views["center"].target_logits() is None
    assert views["triplet"].target_logits() is None


def test_snapshots_end_at_the_stored_features(views):
    for name, split in {
        **dict.fromkeys(("center", "arcface", "triplet", "unseen"), "test"),
        "tuned": "val",
    }.items():
        found, part = views[name].snapshots, views[name].splits[split]
        np.testing.assert_array_equal(found.labels, part.labels[found.places])
        np.testing.assert_allclose(found.features[-1], part.features[found.places], rtol=1e-4, atol=1e-4)


def test_images_are_in_the_order_of_the_features(views, tmp_path):
    view = views["unseen"]
    images = view.images("test")
    assert images.dtype == np.uint8
    assert images.shape == (len(view.splits["test"].labels), 1, 28, 28)
    parts = load_splits(view.config.split_spec, None)
    np.testing.assert_array_equal(images, parts.test.images.numpy())


def test_images_of_a_data_set_that_is_not_there_are_one_sentence(tmp_path, monkeypatch):
    config = small("softmax", dataset="mnist", val_size=0)
    folder = Store(tmp_path).run(config)
    folder.begin()
    folder.write_result(RunResult(run=folder.name, status=Status.DONE, test_accuracy=0.9))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "MNIST").touch()
    with pytest.raises(DataError):
        StoredRun(folder, tmp_path / "empty").images("test")


def test_a_run_that_is_not_complete_is_one_sentence(tmp_path):
    folder = Store(tmp_path).run(small())
    folder.begin()
    with pytest.raises(RunError, match="no features to draw: it is not complete"):
        StoredRun(folder)
    folder.write_result(RunResult(run=folder.name, status=Status.DIVERGED))
    with pytest.raises(RunError, match="not complete"):
        StoredRun(folder)


@pytest.mark.parametrize("name", ["center", "triplet", "unseen"])
def test_attacked_features_begin_with_those_of_the_first_test_images(views, name):
    view = views[name]
    clean, attacked = view.attacked_features(0.1)
    stored = view.splits["test"].features
    assert len(clean) == min(len(stored), 1000)
    np.testing.assert_allclose(clean, stored[: len(clean)], rtol=1e-3, atol=1e-3)
    assert (np.linalg.norm(attacked - clean, axis=1) > 1e-3).mean() > 0.9
    np.testing.assert_allclose(view.attacked_features(0.0)[1], clean, rtol=1e-3, atol=1e-3)
