"""The losses, one per file; `from lossbench.losses import ArcFace` gives a plain `nn.Module`.

Each is called with features (B, D) and labels (B,) and returns the mean loss of the batch. Classes are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..specs import catalog
from ._explanation import Explanation, documentation, explain, target_curve, values_and_gradients
from ._prediction import class_means, class_scores
from ._weighted_sum import WeightedSum

if TYPE_CHECKING:  # what editors and type checkers complete; at run time the file names decide
    from torch import nn

    from .adacos import AdaCos as AdaCos
    from .adaface import AdaFace as AdaFace
    from .arcface import ArcFace as ArcFace
    from .center import Center as Center
    from .circle import Circle as Circle
    from .circle_pair import CirclePair as CirclePair
    from .coco import Coco as Coco
    from .combined_margin import CombinedMargin as CombinedMargin
    from .contrastive import Contrastive as Contrastive
    from .contrastive_center import ContrastiveCenter as ContrastiveCenter
    from .cosface import CosFace as CosFace
    from .curricularface import CurricularFace as CurricularFace
    from .elasticface import ElasticFace as ElasticFace
    from .etf import ETF as ETF
    from .exponential import Exponential as Exponential
    from .focal import Focal as Focal
    from .gcpl import GCPL as GCPL
    from .generalized_ce import GeneralizedCE as GeneralizedCE
    from .ghm import GHM as GHM
    from .git import Git as Git
    from .hinge import Hinge as Hinge
    from .island import Island as Island
    from .l2_softmax import L2Softmax as L2Softmax
    from .l_softmax import LSoftmax as LSoftmax
    from .label_smoothing import LabelSmoothing as LabelSmoothing
    from .ldam import LDAM as LDAM
    from .lgm import LGM as LGM
    from .lifted import Lifted as Lifted
    from .logit_adjusted import LogitAdjusted as LogitAdjusted
    from .magface import MagFace as MagFace
    from .margin_pair import MarginPair as MarginPair
    from .modified_softmax import ModifiedSoftmax as ModifiedSoftmax
    from .multi_similarity import MultiSimilarity as MultiSimilarity
    from .mv_softmax import MVSoftmax as MVSoftmax
    from .n_pair import NPair as NPair
    from .normface import NormFace as NormFace
    from .oim import OIM as OIM
    from .poly_1 import Poly1 as Poly1
    from .proxy_anchor import ProxyAnchor as ProxyAnchor
    from .proxy_nca import ProxyNCA as ProxyNCA
    from .range import Range as Range
    from .ring import Ring as Ring
    from .sface import SFace as SFace
    from .softmax import Softmax as Softmax
    from .softtriple import SoftTriple as SoftTriple
    from .sphereface import SphereFace as SphereFace
    from .sphereface2 import SphereFace2 as SphereFace2
    from .squared import Squared as Squared
    from .squentropy import Squentropy as Squentropy
    from .subcenter_arcface import SubcenterArcFace as SubcenterArcFace
    from .supcon import SupCon as SupCon
    from .triplet import Triplet as Triplet
    from .triplet_center import TripletCenter as TripletCenter
    from .uniface import UniFace as UniFace

__all__ = [
    "Explanation", "WeightedSum", "class_means", "class_scores", "documentation", "explain", "target_curve",
    "values_and_gradients",
]  # fmt: skip


def __getattr__(name: str) -> type[nn.Module]:
    entries = catalog.by_class_name("losses")
    if name not in entries:
        raise AttributeError(f"module 'lossbench.losses' has no loss class '{name}'")
    loss: type[nn.Module] = catalog.load("losses", entries[name])
    return loss


def __dir__() -> list[str]:
    return [*catalog.by_class_name("losses"), *__all__]
