"""NormFace, Table 2: training from scratch with only the weights normalised."""

from ._checks import greater, within
from ._reproduction import FAST, FAST_RECIPE, Drawn, Reproduction

SPEC = Reproduction(
    title="NormFace, weights alone normalised",
    source="Wang et al., ACM MM 2017, text on Tab. 2",
    locus="stated in the text",
    question="Does training from scratch fail where only the class weights are normalised?",
    published="Faces (LFW): trained from scratch with only the weights normalised the network "
    "collapsed; fine-tuned it reached 98.95 %, against 98.28 % without normalisation.",
    recipe="An analogue on digits: modified softmax, from random weights. To fail is to stay below 50 % "
    f"test accuracy in half of the runs. {FAST_RECIPE}",
    runs={"modified softmax": {"loss": "modified-softmax"}, "softmax": {"loss": "softmax"}},
    common=FAST,
    figures=(Drawn("features"),),
    checks=(
        within("trained", "modified softmax", high=0.5),
        greater("test_accuracy", "softmax", than="modified softmax"),
    ),
)
