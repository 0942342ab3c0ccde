"""Tables of what SPECs declare and no page in docs shows, written down by hand: a SPEC cannot be its own reference."""

from __future__ import annotations

import pytest

from lossbench.specs import catalog

RANGES = {
    "-1:4:lin:6": "poly-1.epsilon",
    "0.001:1:log:4": "ring.lambda",
    "0.01:100:log:5": "contrastive-center.delta",
    "0.01:10:log:4": "range.lambda",
    "0.01:1:log:3": "softtriple.gamma",
    "0.03:0.3:log:5": "supcon.temperature",
    "0.1:0.9:lin:5": "center.alpha git.alpha island.alpha oim.momentum proxy-anchor.margin",
    "0.1:100:log:4": "contrastive-center.lambda island.repulsion",
    "0.1:10:log:5": "gcpl.temperature git.push",
    "0.1:1:log:4": "margin-pair.margin",
    "0.25:0.75:lin:5": "circle-pair.margin",
    "0.25:0.75:lin:6": "circle.margin",
    "0.2:0.6:lin:5": "magface.upper_margin",
    "0.2:5:log:5": "triplet.margin",
    "0.4:4:log:5": "margin-pair.boundary",
    "0.5:0.95:lin:6": "multi-similarity.base",
    "0.5:0.9:lin:5": "sphereface2.balance",
    "0.5:4:log:4": "lifted.margin",
    "0.5:8:log:5": "contrastive.margin hinge.delta",
    "0.8:1.4:lin:4": "combined-margin.m1",
    "0:0.05:lin:5": "elasticface.sigma",
    "0:0.15:lin:4": "combined-margin.m3",
    "0:0.1:lin:5": "adaface.margin",
    "0:0.2:lin:5": "cosface.margin elasticface.cosine_margin ldam.margin mv-softmax.cosine_margin "
    "softtriple.margin uniface.margin",
    "0:0.3:lin:4": "sphereface2.margin",
    "0:0.4:lin:5": "combined-margin.m2 label-smoothing.smoothing multi-similarity.epsilon",
    "0:0.5:lin:6": "arcface.margin curricularface.margin elasticface.margin mv-softmax.margin "
    "subcenter-arcface.margin",
    "0:1:lin:4": "adaface.h",
    "0:1:lin:6": "generalized-ce.q",
    "0:2:lin:5": "lgm.alpha logit-adjusted.tau",
    "0:4:lin:3": "softtriple.tau",
    "0:4:lin:5": "exponential.limit focal.gamma",
    "10:100:log:5": "multi-similarity.beta",
    "10:160:log:5": "sface.k",
    "10:80:log:4": "sphereface2.scale",
    "1:1.4:lin:5": "mv-softmax.t",
    "1:16:log:5": "multi-similarity.alpha squared.k",
    "1:20:log:5": "triplet-center.margin",
    "1:2:lin:5": "sphereface.margin_r",
    "1:32:log:4": "ring.radius",
    "1:35:log:4": "magface.lambda_g",
    "1:4:lin:4": "l-softmax.margin sphereface.margin",
    "1:5:lin:5": "gcpl.prototypes softtriple.subcenters sphereface2.t subcenter-arcface.subcenters",
    "1e-3:1:log:4": "git.lambda lgm.lam squentropy.squares triplet-center.lambda",
    "1e-4:0.1:log:4": "n-pair.l2 range.intra range.inter",
    "1e-4:1:log:5": "center.lambda gcpl.lam island.lambda",
    "4:32:log:4": "proxy-nca.scale",
    "4:64:log:5": "circle-pair.gamma coco.scale l2-softmax.scale normface.scale",
    "5:40:log:4": "ghm.bins",
    "5:500:log:5": "range.margin",
    "8:128:log:5": "circle.scale",
    "8:64:log:4": "adaface.scale arcface.scale combined-margin.scale cosface.scale curricularface.scale "
    "elasticface.scale ldam.scale magface.scale mv-softmax.scale oim.scale proxy-anchor.scale sface.scale "
    "softtriple.scale subcenter-arcface.scale uniface.scale",
}
"""What `sweep` and `tune` vary when they are not told more, by the range."""

# of ten directions in the plane and in space, and of the 20 of a simplex, whose cosines are -1/19
COSINE, ANGLE, USEFUL = (0.191, 0.5948, 1.0526), (0.6283, 1.1536, 1.6235), (15.1369, 5.9954, 4.8846)
LARGEST = {
    COSINE: "combined-margin.m3 cosface.margin elasticface.cosine_margin ldam.margin mv-softmax.cosine_margin "
    "softtriple.margin uniface.margin",
    ANGLE: "arcface.margin combined-margin.m2 curricularface.margin elasticface.margin magface.lower_margin "
    "magface.upper_margin mv-softmax.margin sface.a sface.b subcenter-arcface.margin",
    (0.0955, 0.2974, 0.5263): "adaface.margin",
    (0.26, 0.6532, 0.8937): "sphereface2.margin",
    (0.0661, 0.1668, 0.2047): "supcon.temperature",
}
SMALLEST = {
    USEFUL: "adaface.scale arcface.scale circle.scale coco.scale combined-margin.scale cosface.scale "
    "curricularface.scale elasticface.scale ldam.scale magface.scale mv-softmax.scale normface.scale oim.scale "
    "softtriple.scale sphereface.scale subcenter-arcface.scale uniface.scale",
    (7.5684, 2.9977, 2.4423): "proxy-nca.scale",
    (0.5721, 0.2865, 0.0): "circle.margin",
    (0.5721, 0.2865, -0.0372): "circle-pair.margin",
}
DEFAULTS = {
    (16, 24, 64): "adaface.scale arcface.scale combined-margin.scale cosface.scale curricularface.scale "
    "elasticface.scale ldam.scale magface.scale mv-softmax.scale subcenter-arcface.scale uniface.scale",
    (0.3, 0.5, 0.5): "arcface.margin curricularface.margin elasticface.margin mv-softmax.margin "
    "subcenter-arcface.margin",
    (0.1, 0.312, 0.35): "cosface.margin elasticface.cosine_margin mv-softmax.cosine_margin",
    (0.08, 0.25, 0.4): "adaface.margin",
    (0.622, 0.336, 0.25): "circle.margin",
    (0.6, 0.3, 0.25): "circle-pair.margin",
    (0.2, 0.3, 0.3): "combined-margin.m2",
    (0.05, 0.156, 0.2): "combined-margin.m3",
    (0.1, 0.312, 0.5): "ldam.margin",
    (0.2, 0.367, 0.45): "magface.lower_margin",
    (0.4, 0.735, 0.8): "magface.upper_margin",
    (5, 13, 35): "magface.lambda_g",
    (0.905, 0.703, 0.5): "multi-similarity.base",
    (16, 16, 30): "normface.scale",
    (4, 6, 32): "proxy-anchor.scale",
    (0.509, 0.105, 0.1): "proxy-anchor.margin",
    (0.314, 0.577, 0.8): "sface.a",
    (0.49, 0.9, 1.23): "sface.b",
    (0.01, 0.01, 0.01): "softtriple.margin",
    (0.01, 0.01, 1): "squentropy.squares",
    (2, 0.2, 0.2): "softtriple.tau",
    (24, 24, 64): "sphereface.scale",
    (0.136, 0.342, 0.4): "sphereface2.margin",
    (9, 9, 1): "squared.k",
    (0.066, 0.1, 0.1): "supcon.temperature",
    (0.1, 0.312, 0.4): "uniface.margin",
}
"""For ten classes in the plane and in space, and for 20 in 64 dimensions."""
SHAPES = ((10, 2), (10, 3), (20, 64))

METRICS = """
accuracy accuracy
ami AMI
angular-gap angular gap
angular-spread angular spread
angular-spread-gap angular spread/gap
axis-range axis range
calinski-harabasz Calinski-Harabasz index
ccr-at-fpr-1e-1 CCR at FPR 0.1
class-separation class separation R²
collapse collapsed
davies-bouldin Davies-Bouldin index
ece calibration error
ece-scaled calibration error, scaled
eer equal error rate
far-at-threshold-1e-2 FAR at threshold of FAR=1e-2
far-at-threshold-1e-3 FAR at threshold of FAR=1e-3
fgsm-detection detection of FGSM
gap gap
1-shot 1-shot accuracy
1-shot-half-width 1-shot half width
20-shot 20-shot accuracy
20-shot-half-width 20-shot half width
5-shot 5-shot accuracy
5-shot-half-width 5-shot half width
knn5-accuracy 5-NN accuracy
knn5-accuracy-cosine 5-NN accuracy, cosine
length-corruption length against corruption
length-variation length variation
linear-probe linear probe
linear-probe-digits linear probe of Digits
linear-probe-fashion-mnist linear probe of Fashion-MNIST
linear-probe-kmnist linear probe of KMNIST
map-at-r MAP@R
map-at-r-cosine MAP@R (cosine)
map-at-r-euclidean MAP@R (Euclidean)
mean-accuracy nearest-mean accuracy
nc1 NC1
nc2-angles NC2 angles
nc2-norms NC2 norms
nc3 NC3
nc4 NC4
nearest-angle nearest angle
nll negative log-likelihood
nmi NMI
nn-accuracy 1-NN accuracy
nn-accuracy-cosine 1-NN accuracy, cosine
open-set-auroc open-set AUROC (distance)
open-set-auroc-logit open-set AUROC (logit)
oscr OSCR
outer-classes outer classes
r-precision R-precision
recall-at-1 recall at 1
robust-accuracy-apgd-ce robust accuracy, APGD 0.1
robust-accuracy-apgd-dlr robust accuracy, APGD-DLR 0.1
robust-accuracy-fgsm robust accuracy, FGSM 0.1
robust-accuracy-pgd robust accuracy, PGD 0.1
robust-accuracy-pgd-5e-1 robust accuracy, PGD 0.5
robust-accuracy-square robust accuracy, squares 0.1
robust-accuracy-transfer robust accuracy, transfer 0.1
roc-auc ROC AUC
silhouette silhouette
spread spread
spread-gap spread/gap
tar-at-far-1e-2 TAR@FAR=1e-2
tar-at-far-1e-3 TAR@FAR=1e-3
tar-at-far-1e-4 TAR@FAR=1e-4
tar-at-threshold-1e-2 TAR at threshold of FAR=1e-2
tar-at-threshold-1e-3 TAR at threshold of FAR=1e-3
threshold-at-far-1e-2 threshold at FAR=1e-2
threshold-at-far-1e-3 threshold at FAR=1e-3
threshold-range-1e-2 threshold range at FAR=1e-2
threshold-range-1e-3 threshold range at FAR=1e-3
top2-accuracy top-2 accuracy
weight-angle angle of weights
weight-nearest-angle nearest angle of weights
within-variance within-class variance
"""
COLUMNS = {
    "ccr-at-fpr-1e-1": "CCR@0.1",
    "length-corruption": "length/corruption",
    "robust-accuracy-apgd-ce": "APGD 0.1",
    "robust-accuracy-apgd-dlr": "APGD-DLR 0.1",
    "robust-accuracy-fgsm": "FGSM 0.1",
    "robust-accuracy-pgd": "PGD 0.1",
    "robust-accuracy-pgd-5e-1": "PGD 0.5",
    "robust-accuracy-square": "squares 0.1",
    "robust-accuracy-transfer": "transfer 0.1",
}
BELOW_ZERO = {
    *("ami", "length-corruption", "silhouette", "threshold-at-far-1e-2", "threshold-at-far-1e-3"),
}
TITLES = {
    "figures": "angles=angles budget=budget confusion=confusion critical-difference=critical-difference "
    "curves=curves distances=distances features=features forest=forest hardest=hardest heatmap=heat_map "
    "lambda-grid=λ_grid leaderboard=leaderboard loss-surface=loss_surface regions=regions ring=ring "
    "roc=ROC_of_verification scatter=scatter sphere=sphere target-logits=target_logits training=training",
    "data": "digits=Digits emnist-digits=EMNIST_digits fashion-mnist=Fashion-MNIST kmnist=KMNIST mnist=MNIST "
    "qmnist=QMNIST",
    "networks": "compact=Compact lenet=LeNet lenet++=LeNet++ lenet++-released=LeNet++_(released) linear=Linear "
    "mlp=MLP resnet20=ResNet-20 stride3=Stride-3",
    "optimizers": "adamw=AdamW muon=Muon sgd=SGD",
    "schedules": "constant=Constant cosine=Cosine linear=Linear step=Step",
}
DRAWN_FROM = {
    "budget": "searches",
    "critical-difference": "ranks",
    "forest": "comparison",
    "scatter": "benchmark",
}
DIMENSIONS = {"distances": 2, "loss-surface": 2, "regions": 2, "ring": 2, "sphere": 3}
TWO_THREADS = {"lenet++", "lenet++-released", "resnet20"}
CLOTHES = "T-shirt trouser pullover dress coat sandal shirt sneaker bag boot"
CLASSES = {"fashion-mnist": CLOTHES, "kmnist": "o ki su tsu na ha ma ya re wo"}


def by_setting(table: dict) -> dict:
    return {name: value for value, names in table.items() for name in names.split()}


def specs(kind: str) -> dict:
    return {name: catalog.spec(kind, name) for name in catalog.names(kind)}


def settings() -> dict:
    """The settings of all losses by `loss.setting`, the weight of an auxiliary term as `loss.lambda`."""
    found = {
        f"{loss}.{key}": each for loss, spec in specs("losses").items() for key, each in spec.settings.items()
    }
    return found | {f"{loss}.lambda": spec.weight for loss, spec in specs("losses").items() if spec.weight}


def test_ranges_of_settings() -> None:
    found = {name: each.sweep for name, each in settings().items() if each.sweep}
    assert by_setting(RANGES).items() <= found.items()


@pytest.mark.parametrize(("side", "table"), [("largest", LARGEST), ("smallest", SMALLEST)])
def test_limits_of_settings(side: str, table: dict) -> None:
    limits = {name: limit for name, each in settings().items() if (limit := getattr(each, side))}
    found = {name: tuple(round(limit(*shape), 4) for shape in SHAPES) for name, limit in limits.items()}
    assert by_setting(table).items() <= found.items()


def test_defaults_that_depend_on_the_shape() -> None:
    own = {name: each for name, each in settings().items() if callable(each.default)}
    found = {name: tuple(each.default_for(*shape) for shape in SHAPES) for name, each in own.items()}
    assert by_setting(DEFAULTS).items() <= found.items()


def test_titles_and_columns_of_metrics() -> None:
    titles = dict(line.split(" ", 1) for line in METRICS.strip().splitlines())
    found = {name: specs("metrics")[name] for name in titles}
    assert {name: spec.title for name, spec in found.items()} == titles
    assert {name: spec.column for name, spec in found.items() if spec.column} == COLUMNS
    assert {name: spec.least for name, spec in found.items() if spec.least} == dict.fromkeys(BELOW_ZERO, -1)


@pytest.mark.parametrize("kind", TITLES)
def test_titles(kind: str) -> None:
    titles = dict(each.split("=") for each in TITLES[kind].split())
    assert (
        titles.items() <= {name: spec.title.replace(" ", "_") for name, spec in specs(kind).items()}.items()
    )


def test_what_a_figure_is_drawn_from() -> None:
    for name in (each.split("=")[0] for each in TITLES["figures"].split()):
        spec = specs("figures")[name]
        assert spec.drawn_from == DRAWN_FROM.get(name, "runs"), name
        assert spec.dim == DIMENSIONS.get(name, 0), name


def test_numbers_of_the_data_sets_of_this_package() -> None:
    """Every stored result depends on them."""
    for name in (each.split("=")[0] for each in TITLES["data"].split()):
        spec = specs("data")[name]
        assert spec.classes == tuple(CLASSES.get(name, "0 1 2 3 4 5 6 7 8 9").split()), name
        assert (spec.shape, spec.mean, spec.deviation) == ((1, 28, 28), (127.5,), (128.0,)), name
        few = name == "digits"
        assert (spec.val_size, spec.epochs, spec.needs_files) == (
            180 if few else 5000,
            27 if few else 4,
            not few,
        )


def test_numbers_of_networks_optimizers_and_schedules() -> None:
    for name in (each.split("=")[0] for each in TITLES["networks"].split()):
        assert specs("networks")[name].threads == (2 if name in TWO_THREADS else 1), name
    rates = {name: (spec.lr, spec.weight_decay) for name, spec in specs("optimizers").items()}
    assert {"adamw": (0.008, 5e-4), "muon": (0.05, 5e-4), "sgd": (0.05, 5e-4)}.items() <= rates.items()
    warm = {name: spec.warmup for name, spec in specs("schedules").items()}
    assert {"constant": 0, "cosine": 0.2, "linear": 0.2, "step": 0}.items() <= warm.items()
    step = catalog.spec("schedules", "step")
    assert (step.milestones, step.decay) == ("0.5,0.75", 0.1)
