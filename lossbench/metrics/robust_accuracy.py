"""Robust accuracy: images classified right also after each pixel was changed by at most epsilon.

fgsm       x' = clip(x + epsilon sign(dL/dx)),  L the cross-entropy; far above the accuracy under PGD it shows
           a hidden gradient, not robustness
pgd        x' = clip(x' + epsilon/8 sign(d(max_(j != y) f_j - f_y)/dx')) within epsilon of x, 20 steps from 2
           random starts; at 0.5 every image can become grey: clearly above 0 it shows a masked gradient
apgd-ce    100 steps up L; the step size of an image, 2 epsilon at first, is halved where it no longer helps
           (Croce and Hein, Algorithm 1)
apgd-dlr   the same up the difference of logits ratio, which no scale of the scores changes:
           -(f_y - max_(j != y) f_j) / (f_(1) - f_(3)),  f_(k) the k-th largest; cross-entropy of large scores
           has no gradient in float32, and hides a network from attacks; this has one
square     stripes, then squares at random places; one that lowers f_y - max_(j != y) f_j is kept; below the
           accuracy under PGD it shows a masked gradient
transfer   apgd-ce on the stored softmax run of equal conditions and the neighbouring seed (1 for 0, 0 for 1,
           3 for 2 ...), so that softmax itself is attacked like every loss; below PGD: a masked gradient

Pixels x from 0 (black) to 1 (white), f the margin-free scores; of the first 1,000 images.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput, declared

SPECS = {
    f"robust-accuracy-{name}": MetricSpec(
        title=f"robust accuracy, {title} {epsilon}",
        column=f"{title} {epsilon}",
        summary=f"images classified right {summary}",
        needs="images",
        unit="percent",
        higher_is_better=True,
        source=source,
        cheap=False,
        gradients=1000 * steps,
        arguments={"attack": name.removesuffix("-5e-1"), "epsilon": epsilon},
    )
    # steps: gradients of each image, at most; `transfer` leaves out no image that is wrong already, and takes
    # about twice the time of APGD
    for name, title, epsilon, steps, summary, source in (
        (
            "fgsm",
            "FGSM",
            0.1,
            1,
            "after one gradient step of 0.1 in each pixel",
            "Goodfellow, Shlens, Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015, "
            "arXiv 1412.6572",
        ),
        (
            "pgd",
            "PGD",
            0.1,
            40,
            "whatever 20 gradient steps from 2 random starts find within 0.1",
            "Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018, "
            "arXiv 1706.06083",
        ),
        (
            "pgd-5e-1",
            "PGD",
            0.5,
            40,
            "whatever 20 gradient steps from 2 random starts find within 0.5",
            "Carlini et al., On Evaluating Adversarial Robustness, 2019, arXiv 1902.06705 "
            "(unbounded attacks)",
        ),
        (
            "apgd-ce",
            "APGD",
            0.1,
            100,
            "whatever 100 adaptive steps up the cross-entropy find within 0.1",
            "Croce, Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse "
            "Parameter-free Attacks, ICML 2020, arXiv 2003.01690",
        ),
        (
            "apgd-dlr",
            "APGD-DLR",
            0.1,
            100,
            "whatever 100 adaptive steps up the logits ratio find within 0.1",
            "Croce, Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse "
            "Parameter-free Attacks, ICML 2020, arXiv 2003.01690",
        ),
        (
            "square",
            "squares",
            0.1,
            333,
            "whatever 1,000 queries with random squares of 0.1 find",
            "Andriushchenko et al., Square Attack, ECCV 2020, arXiv 1912.00049",
        ),
        (
            "transfer",
            "transfer",
            0.1,
            200,
            "after changes of 0.1 made for the softmax run of another seed",
            "Papernot, McDaniel, Goodfellow, Transferability in Machine Learning, 2016, arXiv 1605.07277",
        ),
    )
}


def compute(inputs: MetricInput, attack: str, epsilon: float) -> float:
    """Fraction from 0 to the accuracy of these images; NaN for `apgd-dlr` and two classes."""
    images = declared(inputs.on_images)
    if attack == "transfer":
        return images.transfer_accuracy(epsilon)
    return images.robust_accuracy(attack, epsilon)
