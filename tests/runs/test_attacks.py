"""Attacks against a linear classifier, whose robust accuracy is known exactly, against trained runs, and beside
those of an independent library."""

from __future__ import annotations

import os
import shlex

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.modules.module import register_module_forward_hook

import lossbench
from lossbench.__main__ import main
from lossbench.data import load_splits
from lossbench.errors import DataError, RunError, UsageError
from lossbench.records import LabelledImages, SplitSpec
from lossbench.runs import attacks, robustness
from lossbench.runs.attacks import ATTACKS, attack
from lossbench.runs.measurement import measure_stored
from lossbench.runs.robustness import IMAGES, RunOnImages, transfer_source
from lossbench.runs.store import Store
from lossbench.specs import catalog

from ..helpers.runs import run, small

EPSILON = 0.02
BY_GRADIENT = [kind for kind in ATTACKS if kind != "square"]


def linear(seed: int):
    """A linear classifier, images of grey values far from 0 and 255, and their labels."""
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, 9, generator=random)
    weight -= weight.mean(1, keepdim=True)  # only differences of pixels count
    images = 100 + 50 * torch.rand(200, 1, 3, 3, generator=random)
    scores = lambda images: images.flatten(1) @ weight.to(images).T  # noqa: E731
    labels = scores(images).argmax(1)
    labels[:10] = (labels[:10] + 1) % 4  # wrong before any attack
    return scores, weight, images, labels


def withstands(scores, images, labels, kind, epsilon=EPSILON):
    return attack(scores, images, labels, kind, epsilon, torch.Generator().manual_seed(0)).right


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", ATTACKS)
def test_against_a_linear_classifier_nearly_all_there_is_is_found(kind, seed):
    """f_j - f_y grows by at most epsilon times the sum of |w_j - w_y|; cross-entropy follows one class j alone."""
    scores, weight, images, labels = linear(seed)
    found = scores(images)
    margins = found.gather(1, labels[:, None]) - found
    reach = 255 * EPSILON * (weight[:, None] - weight[None]).abs().sum(2)[labels]
    own = F.one_hot(labels, 4).bool()
    expected = ((margins > reach) | own).all(1) & (found.argmax(1) == labels)
    assert 0.1 < expected.float().mean() < 0.9
    right = withstands(scores, images, labels, kind)
    assert torch.all(right >= expected), "what cannot be changed is not"
    tolerance = {"fgsm": 0.3, "apgd-ce": 0.15}.get(kind, 0.05)
    assert (right != expected).float().mean() < tolerance


@pytest.mark.parametrize("kind", ATTACKS)
def test_the_changes_stay_within_the_bound_and_the_range(kind):
    _, weight, images, labels = linear(2)
    images = images.clamp(100, 101) - 100  # near black
    weight[:, 0] += 0.01  # so that none is lost and taken out of the query attack
    seen = []

    def scores(given):
        seen.append(given.detach())
        return given.flatten(1) @ weight.T

    before = images.clone()
    attack(scores, images, labels, kind, EPSILON, torch.Generator().manual_seed(0))
    assert torch.equal(images, before)
    low, high = (images - 255 * EPSILON).clamp_min(0).amin(0), (images + 255 * EPSILON).amax(0)
    for given in seen:
        if len(given) == len(images):
            assert float((given - images).abs().max()) <= 255 * EPSILON + 1e-4
        assert torch.all(given >= low - 1e-4) and torch.all(given <= high + 1e-4)


@pytest.mark.parametrize("kind", ["pgd", "apgd-ce", "apgd-dlr"])
def test_images_that_are_wrong_can_be_left_alone(kind):
    """The same images withstand, and few others are looked at."""
    scores, _, images, labels = linear(5)
    looked_at = []

    def counted(given):
        looked_at.append(len(given))
        return scores(given)

    generator = torch.Generator().manual_seed(0)
    right = attack(counted, images, labels, kind, EPSILON, generator, until_wrong=True).right
    assert torch.equal(right, withstands(scores, images, labels, kind))
    assert 0.1 < right.float().mean() < 0.9
    assert looked_at[0] == len(images) and looked_at[-2] <= int(right.sum()) + 10


@pytest.mark.parametrize(
    ("kind", "passes"),
    [
        ("fgsm", 2),  # a gradient and the changed images
        ("pgd", 2 * (20 + 1)),
        ("apgd-ce", 100 + 1),  # the random start is the first
        ("square", 30),  # the stripes are the first query
    ],
)
def test_an_attack_takes_as_many_passes_as_its_steps_say(monkeypatch, kind, passes):
    """Where no image is ever classified wrong; besides, the images themselves are classified."""
    monkeypatch.setattr(attacks, "_QUERIES", 30)
    scores, _, images, labels = linear(3)
    classified = []

    def counted(given):
        classified.append(given)
        return scores(given)

    withstands(counted, images, labels, kind, 1e-6)
    assert len(classified) == 1 + passes


def test_apgd_looks_at_the_steps_of_the_paper():
    """Croce and Hein, section 3.1: p_0 = 0, p_1 = 0.22, p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06)."""
    looks = sorted(step for step in attacks._checkpoints(100) if step <= 100)
    assert looks == [22, 41, 57, 70, 80, 87, 93, 99]


@pytest.mark.parametrize("kind", ATTACKS)
def test_without_a_bound_to_speak_of_the_accuracy_is_that_of_the_images(kind):
    scores, _, images, labels = linear(3)
    assert torch.equal(withstands(scores, images, labels, kind, 1e-6), scores(images).argmax(1) == labels)


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_ends_with_images_that_fool_where_it_says_so(kind):
    """Of PGD the last images, which need not be those that did."""
    scores, _, images, labels = linear(4)
    changed, right = attack(scores, images, labels, kind, EPSILON, torch.Generator().manual_seed(0))
    fooled = scores(changed).argmax(1) != labels
    assert not torch.any(fooled & right)
    assert (fooled == ~right).float().mean() > 0.9


@pytest.mark.parametrize("kind", BY_GRADIENT)
def test_the_images_of_an_attack_are_among_those_that_were_classified(kind):
    """Also those after the last step."""
    scores, _, images, labels = linear(4)
    seen = []

    def noting(given):
        seen.append(given.detach().clone())
        return scores(given)

    changed = attack(noting, images, labels, kind, EPSILON, torch.Generator().manual_seed(0)).images
    same = torch.stack([(given == changed).flatten(1).all(1) for given in seen if len(given) == len(images)])
    assert same.any(0).all()


def test_scores_so_large_that_cross_entropy_has_no_gradient_hide_from_two_attacks_alone():
    """Their gradient is exactly 0 in float32: it is masked, and the other attacks show it."""
    scores, _, images, labels = linear(0)
    huge = lambda images: 1e4 * scores(images)  # noqa: E731
    clean = scores(images).argmax(1) == labels
    accuracies = {kind: float(withstands(huge, images, labels, kind).float().mean()) for kind in ATTACKS}
    assert accuracies["fgsm"] > 0.9 * clean.float().mean()
    for kind in ("pgd", "apgd-dlr", "square"):
        assert accuracies[kind] < accuracies["fgsm"] - 0.1
    assert torch.equal(
        withstands(huge, images, labels, "apgd-dlr"), withstands(scores, images, labels, "apgd-dlr")
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ATTACKS)
def test_a_gpu_finds_what_a_cpu_finds(kind):
    scores, _, images, labels = linear(0)
    right = withstands(scores, images.cuda(), labels.cuda(), kind)
    assert right.is_cuda
    assert (right.cpu() != withstands(scores, images, labels, kind)).float().mean() < 0.02


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(robustness, "IMAGES", 60)


NAMES = [
    *("robust-accuracy-fgsm", "robust-accuracy-pgd", "robust-accuracy-apgd-ce", "robust-accuracy-apgd-dlr"),
    *("robust-accuracy-square", "robust-accuracy-pgd-5e-1", "length-corruption", "fgsm-detection"),
]


@pytest.mark.parametrize("loss", ["softmax", "contrastive"])
def test_a_trained_run_is_attacked_when_asked(loss, tmp_path, few_images):
    """Also a loss without class scores, by the means of the training features."""
    config = small(loss, network="stride3")
    result = run(config, tmp_path)
    folder = Store(tmp_path).run(config)
    found = measure_stored(folder, NAMES)
    fgsm, pgd, *apgd, square, pgd_unbounded, correlation, detection = (found[name] for name in NAMES)
    assert -1 <= correlation <= 1 and 0 <= detection <= 1
    assert max(pgd, *apgd, square) < result.test_accuracy
    assert max(pgd, *apgd) <= fgsm <= result.test_accuracy
    assert pgd_unbounded == 0
    assert measure_stored(folder, NAMES) == found == {name: folder.metrics()[name] for name in NAMES}


def test_two_classes_have_no_ratio_of_three_scores(tmp_path, few_images):
    config = small("softmax", network="stride3", epochs=1, unseen="2-9")
    run(config, tmp_path)
    names = ["robust-accuracy-apgd-dlr", "robust-accuracy-apgd-ce"]
    without, with_two = measure_stored(Store(tmp_path).run(config), names).values()
    assert without is None and with_two is not None


def test_images_attacked_for_one_run_are_classified_by_another(tmp_path, few_images):
    """Those of the softmax run of the neighbouring seed, of equal conditions but for the batches."""
    store = Store(tmp_path)
    wanted = small("contrastive", network="stride3", seed=1)
    others = [
        small("softmax", network="stride3", seed=seed, epochs=epochs) for seed, epochs in ((1, 3), (0, 2))
    ]
    for config in [wanted, *others]:
        run(config, tmp_path)
    with pytest.raises(RunError, match="need the softmax run of seed 0 under the same conditions") as caught:
        measure_stored(store.run(wanted), ["robust-accuracy-transfer"])
    (tmp_path / "runs/softmax-0000000000").mkdir()
    (tmp_path / "runs/softmax-0000000000/config.json").write_text("{}")  # a run that cannot be read
    command = shlex.split(str(caught.value).split("`")[1])
    assert main([*command[1:], "--results", str(tmp_path)]) == 0
    source = transfer_source(store.run(wanted)).config
    assert (source.loss, source.seed) == ("softmax", 0)
    found = measure_stored(store.run(wanted), ["robust-accuracy-transfer", "robust-accuracy-pgd", "accuracy"])
    assert found["robust-accuracy-pgd"] < found["robust-accuracy-transfer"] < found["accuracy"]
    attacked = RunOnImages(store.run(source)).attacked("apgd-ce", 0.1).images
    trained = RunOnImages(store.run(wanted))
    images, labels = trained.samples
    clean, changed = (trained.scores(x).argmax(1) == labels for x in (images, attacked))
    assert found["robust-accuracy-transfer"] == pytest.approx(float((clean & changed).float().mean()))
    itself = RunOnImages(store.run(source)).transfer_accuracy(0.1, store.run(source))
    assert itself < RunOnImages(store.run(others[0])).transfer_accuracy(0.1), (
        "made for itself, they are stronger"
    )
    run(unseen := small("softmax", network="stride3", unseen="9"), tmp_path)
    with pytest.raises(UsageError, match="have not the same images"):
        RunOnImages(store.run(unseen)).transfer_accuracy(0.1, store.run(source))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained softmax run and the first 100 images."""
    folder = tmp_path_factory.mktemp("trained")
    config = small("softmax", network="stride3", epochs=8)
    assert run(config, folder).test_accuracy > 0.9
    trained = RunOnImages(Store(folder).run(config))
    return trained, *trained.samples.at(slice(100))


def test_features_of_another_data_set_are_those_of_its_images(trained):
    """The other set is that of the run here; test_tiles.py has a run on larger images in colour."""
    run = trained[0].run
    splits = load_splits(SplitSpec("digits", 0))
    parts = RunOnImages(run).features_of("digits", 50)
    for (features, labels), split in zip(parts, (splits.train, splits.test), strict=True):
        expected = lossbench.load(run.path).network(split.images[:50])
        torch.testing.assert_close(torch.from_numpy(features), expected, rtol=0, atol=1e-5)
        assert labels.tolist() == split.labels[:50].tolist()
    found = measure_stored(run, ["linear-probe", "linear-probe-digits"])
    assert 0.5 < min(found.values()) < max(found.values()) <= 1
    with pytest.raises(DataError, match="KMNIST"):
        measure_stored(run, ["linear-probe-kmnist"], data_dir=run.path)


@pytest.mark.parametrize(
    "compute",
    [
        lambda on_images: on_images.embed(on_images.samples.images),
        lambda on_images: on_images.scores(on_images.samples.images),
        lambda on_images: on_images.attacked("fgsm", EPSILON),
        lambda on_images: on_images.attacked_features(EPSILON),
        lambda on_images: on_images.features_of("digits", 5),
    ],
    ids=["embed", "scores", "attacked", "attacked_features", "features_of"],
)
def test_a_network_that_changes_the_working_folder_changes_nothing_else(
    trained, compute, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    on_images = RunOnImages(trained[0].run)
    on_images.samples = LabelledImages(trained[1][:5], trained[2][:5])
    with register_module_forward_hook(lambda *_: os.chdir("/")):
        compute(on_images)
    assert os.getcwd() == str(tmp_path)


def test_features_of_attacked_images_are_those_of_all_batches(trained, monkeypatch):
    run, images, labels = trained
    monkeypatch.setattr(robustness, "_BATCH", 40)  # the last batch is smaller
    some = RunOnImages(run.run)
    some.samples = LabelledImages(images, labels)
    clean, attacked = some.attacked_features(EPSILON)
    changed = some.attacked("fgsm", EPSILON).images
    with torch.no_grad():
        np.testing.assert_allclose(clean, run.embed(images), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(attacked, run.embed(changed), rtol=1e-4, atol=1e-4)
    assert (abs(changed - images).amax((1, 2, 3)) > 0).all() and not np.allclose(attacked, clean)


class Margin(torch.nn.Module):
    """What PGD ascends: the largest wrong score minus the right one."""

    reduction = "mean"

    def forward(self, found, one_hot):
        return ((found - 1e9 * one_hot).max(1).values - (found * one_hot).sum(1)).mean()


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # in that library
@pytest.mark.parametrize("kind", ATTACKS)
def test_a_trained_network_is_as_robust_as_an_independent_library_finds(kind, trained, monkeypatch):
    """FGSM to one image for rounding; the others, which draw other numbers, to 5 % of the images. The adversarial
    robustness toolbox draws one square for all images, we one for each."""
    monkeypatch.setattr(attacks, "_QUERIES", 300)
    from art.attacks.evasion import (
        AutoProjectedGradientDescent,
        FastGradientMethod,
        ProjectedGradientDescent,
        SquareAttack,
    )
    from art.estimators.classification import PyTorchClassifier

    run_, images, labels = trained
    epsilon = {"fgsm": 0.06, "square": 0.06}.get(kind, 0.04)

    class Network(torch.nn.Module):
        def forward(self, images):
            return run_.scores(255 * images)

    loss = Margin() if kind == "pgd" else torch.nn.CrossEntropyLoss()
    library = PyTorchClassifier(
        Network(), loss, tuple(images.shape[1:]), 10, clip_values=(0, 1), device_type="cpu"
    )
    of_apgd = {"apgd-ce": "cross_entropy", "apgd-dlr": "difference_logits_ratio"}
    common = {"eps": epsilon, "batch_size": 100}
    if kind == "fgsm":
        theirs = FastGradientMethod(library, **common)
    elif kind == "pgd":
        step = 2.5 * epsilon / 20
        theirs = ProjectedGradientDescent(
            library, eps_step=step, max_iter=20, num_random_init=2, verbose=False, **common
        )
    elif kind == "square":
        theirs = SquareAttack(library, max_iter=300, nb_restarts=1, verbose=False, **common)
    else:
        theirs = AutoProjectedGradientDescent(
            library, eps_step=2 * epsilon, nb_random_init=1, loss_type=of_apgd[kind], verbose=False, **common
        )
    np.random.seed(0)
    changed = theirs.generate((images / 255).numpy(), labels.numpy())
    their_accuracy = (library.predict(changed).argmax(1) == labels.numpy()).mean()
    our_accuracy = float(withstands(run_.scores, images, labels, kind, epsilon).float().mean())
    assert 0.1 < our_accuracy < 0.9
    assert our_accuracy == pytest.approx(their_accuracy, abs=0.01 if kind == "fgsm" else 0.05)


def test_the_time_of_attacks_is_estimated_from_the_steps_that_they_take():
    """Declared beside each metric, which knows nothing of how attacks are made; a query is a pass forward."""
    steps = {
        "fgsm": 1,
        "pgd": attacks._PGD_STEPS * attacks._PGD_RESTARTS,
        "pgd-5e-1": attacks._PGD_STEPS * attacks._PGD_RESTARTS,
        "apgd-ce": attacks._APGD_STEPS,
        "apgd-dlr": attacks._APGD_STEPS,
        "square": attacks._QUERIES // 3,
        "transfer": 2 * attacks._APGD_STEPS,
    }
    specs = {name: catalog.spec("metrics", f"robust-accuracy-{name}") for name in steps}
    assert {name: spec.gradients for name, spec in specs.items()} == {
        name: IMAGES * count for name, count in steps.items()
    }


def curved(seed: int, wave: float):
    """A classifier whose scores rise and fall over a wave of pixels, eight images, and their labels, in float64."""
    random = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(*shape, generator=random).double() for shape in ((16, 9), (5, 16)))
    images = 255 * torch.rand(8, 1, 3, 3, generator=random).double()
    scores = lambda images: torch.sin(images.flatten(1) @ first.T / wave) @ second.T  # noqa: E731
    return scores, images, scores(images).argmax(1)


def test_pgd_takes_steps_of_an_eighth_of_the_bound_up_the_margin():
    """Twenty steps of 2.5 / 20 of the bound, from each of two random starts; the images are the last."""
    scores, images, labels = curved(seed=3, wave=40)
    found = attack(scores, images, labels, "pgd", 0.2, torch.Generator().manual_seed(1)).images
    low, high = (images - 51).clamp(min=0), (images + 51).clamp(max=255)
    starts = torch.Generator().manual_seed(1)
    torch.rand(images.shape, generator=starts)  # of the first twenty steps
    place = low + (high - low) * torch.rand(images.shape, generator=starts)
    for _ in range(20):
        place.requires_grad_()
        values = scores(place)
        own = values.gather(1, labels[:, None])[:, 0]
        others = torch.stack(
            [row[torch.arange(5) != label].max() for row, label in zip(values, labels, strict=True)]
        )
        (gradient,) = torch.autograd.grad((others - own).sum(), place)
        place = (place.detach() + 51 / 8 * gradient.sign()).clamp(low, high)
    assert torch.allclose(found, place, atol=1e-9)


def apgd_of_one_image(objective, image, start, bound, halve_after):
    """Algorithm 1 of Croce and Hein (2020) in its own notation; f is `objective`, S the box of the image."""

    def f(point):
        point = point.detach().requires_grad_()
        value = objective(point)
        return value.item(), torch.autograd.grad(value, point)[0]

    def project(point):
        return point.clamp(min=(image - bound).clamp(min=0), max=(image + bound).clamp(max=255))

    x, eta = {0: start}, {0: 2 * bound}
    values = {0: f(start)[0]}
    x[1] = project(x[0] + eta[0] * f(x[0])[1].sign())
    values[1] = f(x[1])[0]
    moved = values.copy()  # f of each point before a restart from the best one
    x_max, f_max = (x[1], values[1]) if values[1] > values[0] else (x[0], values[0])
    step_at, largest_at, last = {0: eta[0]}, {0: values[0]}, 0
    step, rises = eta[0], int(values[1] > values[0])
    for k in range(1, 100):
        z = project(x[k] + step * f(x[k])[1].sign())
        x[k + 1] = project(x[k] + 0.75 * (z - x[k]) + 0.25 * (x[k] - x[k - 1]))
        moved[k + 1] = values[k + 1] = f(x[k + 1])[0]
        rises += moved[k + 1] > values[k]
        if values[k + 1] > f_max:
            x_max, f_max = x[k + 1], values[k + 1]
        if k + 1 in halve_after:
            step_at[k + 1], largest_at[k + 1] = step, f_max
            stuck = step_at[last] == step_at[k + 1] and largest_at[last] == f_max
            if rises < 0.75 * (k + 1 - last) or stuck:
                step /= 2
                x[k + 1], values[k + 1] = x_max, f_max
            last, rises = k + 1, 0
    return x_max


def test_apgd_finds_the_images_of_the_published_algorithm():
    scores, images, labels = curved(seed=36, wave=10)  # of 40 seeds the one with most kinds of halving
    found = attack(scores, images, labels, "apgd-ce", 0.5, torch.Generator().manual_seed(1)).images
    low, high = (images - 127.5).clamp(min=0), (images + 127.5).clamp(max=255)
    starts = low + (high - low) * torch.rand(images.shape, generator=torch.Generator().manual_seed(1))
    # the appendix: p = 0, 0.22, then each gap is 0.03 shorter, at least 0.06
    after = {22, 41, 57, 70, 80, 87, 93, 99}
    for image, start, label, best in zip(images, starts, labels, found, strict=True):
        objective = lambda point, label=label: F.cross_entropy(scores(point[None]), label[None])  # noqa: E731
        expected = apgd_of_one_image(objective, image, start, 127.5, after)
        assert torch.allclose(best, expected, atol=1e-6)
