"""Numbers and defaults of the program, written down a second time: none changes unnoticed.

Published results, pages and the time of users rest on them, and most have no effect that a small run shows.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent / "lossbench"
NUMBERS = """
benchmarks._plain_pytorch: MEAN DEVIATION (0.1307, 0.3081), LEARNING_RATE MOMENTUM WEIGHT_DECAY (0.001, 0.9,
    0.0005), DECAY_EVERY DECAY (20, 0.8)
benchmarks._trainers: STEPS 4
benchmarks.gpu: PACKS (1, 4, 8, 16, 32), _EQUAL_STEPS 50, _KERNELS 12
benchmarks.losses: CLASSES DIM (10, 2), _MAX_TRIPLET_BATCH 256
benchmarks.metrics: TESTED REFERENCE CLASSES (10000, 55000, 10)
benchmarks.quality: _REFERENCE 5000
benchmarks.start: RUNS POINTS (6, 60000)
benchmarks.sweep: _MEMORY_INTERVAL 0.2
benchmarks.train: _COUNTED 16
cli._output: _PIPE_WIDTH 200, _UNLIMITED 10000
cli._progress: _LONG 2.0, _WIDE 110, _STATE _WIDE_STATE (32, 60), _EPOCH_LINES 20
cli._training: _MEASURED_AT_ONCE 4
cli.explain: _WIDTH _HEIGHT (61, 15), _LEAST_WIDTH 20
cli.tune: DEFAULT_TRIALS DEFAULT_STUDY_SEEDS (30, (1000, 1001))
data._arrays: _MOST_LABEL 1000000, _SURVEYED 2000
data._augmentation: _SHIFT 0.03571428571428571, _ANGLE 15.0, _ROTATED_AT_ONCE 4096
data._folder: _SURVEYED 200, _LARGE 512
data._idx: _MAX_ENTRIES 1000, _MAX_SIZE 1073741824
data._stratified: SPLIT_SEED 20240229, _TEST_SHARE 5
data._survey: _PART 65536
data._user_data: _FEWEST _FEWEST_BEFORE_SPLIT (2, 5)
data.digits: _BRIGHTEST 16, _EVERY 5
engines.__init__: _SHORT 20.0
engines._cluster: _CONNECT_TIMEOUT 5.0
engines._worker: _PAUSES (0.1, 0.4, 1.5)
engines.processes: _EXIT_TIME 1.0
engines.ray: _STATE_INTERVAL 5.0, _QUEUED 4, _MAX_TASKS 400
engines.scheduler: ATTEMPTS 2, SILENCE_LIMIT 600.0, BUSY_DELAY 0.5, PAUSE 0.1, STEP_INTERVAL 0.2,
    EQUAL_FAILURES 3
engines.time_estimate: STARTUP 4.0, _TIMED_STEPS 16, _TIMED_SHARE 0.1, _EVALUATED_IMAGES 1000
errors: _MOST_NAMES 20
experiments.grid: MAX_RUNS 10000
experiments.loss_benchmark: TUNING_SEEDS (100, 101)
experiments.search_space: LEARNING_RATES (0.125, 4.0)
experiments.study: _STARTUP_TRIALS 8, _PRUNING_PERCENTILE 75.0
experiments.trials: _POLL_INTERVAL 0.5
figures._layout: _ROW 5, _SIDE 2.7, _LEGEND_COLUMN 3.6, _ROWS_APART 0.08, _NARROWEST 3.8, _LONGEST 36, _FAR 4
figures._names: _APART (0.11, 0.155), _NAMES_TOGETHER 3, _SHORT 2, _HALO 2.0, _STEPS 200
figures._plane: _RING_DEPTH 0.1, _MOST_SHAPES 60, _GLYPH_RADIUS 1.22, _MIDDLE 0.1, _NAME_RADIUS 0.11
figures._projection: _MOST 3000, _SEED 0
figures._style: _CONES ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451,
    0.1073969566), (0.0883024619, 0.2817188376, 0.6299787005)), _LAB ((0.2104542553, 0.793617785,
    -0.0040720468), (1.9779984951, -2.428592205, 0.4505937099), (0.0259040371, 0.7827717662, -0.808675766)),
    PANEL 2.0
figures.angles: _WIDTH _HEIGHT (2.5, 1.9), _BINS 90
figures.confusion: _ROW 2
figures.critical_difference: _BAR_STEP 0.55, _REACH 0.1
figures.distances: _SAMPLES 2000, _RARE 0.01, _BINS 60, _SHADE 0.6, _TOP 1.25
figures.features: _ALIKE 0.9
figures.forest: _SPAN 0.27, _FAR 5, _FEW 12
figures.hardest: _COLUMNS _ROWS (10, 2), _TILE 0.62, _PITCH 1.12, _BELOW 0.36
figures.heatmap: _CELL (0.62, 0.46)
figures.lambda_grid: _ROW 5
figures.loss_surface: _COUNT _ARROWS _LEVELS (201, 16, 24), _FLOOR 0.01
figures.regions: _COUNT 400, _TINT _BAND (0.17, 0.42)
figures.ring: _STROKE _BASE _PROFILE _ARCS _RAY (0.045, 1.07, 0.5, (0.9, 0.85), 0.8), _LETTER 0.06, _BINS 1440
figures.roc: _MARKED (0.0001, 0.001, 0.01)
figures.scatter: _SIZE (9.0, 4.6), _FONT 7.5, _GAPS (5.0, 13.0), _PLACES ((1, 0), (-1, 0), (0, 1), (0, -1),
    (1, 1), (-1, 1), (1, -1), (-1, -1))
figures.sphere: VIEWS ((-20, 30), (-20, 150), (-20, 270), (90, 30)), _PIN _NAME (1.15, 1.28), _FAINT 0.22,
    _ZOOM _RADIUS (1.28, 0.286), _LESS_PER_LETTER 0.046, _LETTERS 10
figures.target_logits: _LOWEST _HIGHEST (-3.2, 1.4), _PLOT _LETTER (3.4, 0.07)
figures.training: _DECADE 10, _WIDTH 3, _IN_PANEL 8, _WIDEST 3.2, _IN_AXES 4, _COLUMNS 4, _LINE _LETTER (0.5, 0.08), _MARKED 12
files: _PAUSES (0.02, 0.1, 0.3, 0.6), _LONGEST_NAME 150
losses._annealing: ITERATIONS 20000
losses._explanation: _MAX_CLASSES 200
losses._geometry: TINY_NORM 1e-06
losses._pairwise: _BLOCK_SIZE 524288, _FEW_DIMENSIONS 4, LOG_ZERO -1e+30
losses._triplet_counts: _SMALLEST_RANGE 1e-30
losses.adacos: SMALLEST LARGEST (1.0, 64.0)
losses.adaface: EPS 0.001
losses.island: SHORTEST 0.001
losses.margin_pair: CUTOFF 0.5
losses.range: EPSILON 1e-08
losses.triplet: _STREAMED 1048576
metrics._neighbours: NEAREST 5, _TREE_DIMENSIONS 15, _NONE -1
metrics._probabilities: _BINS 15
metrics._retrieval: _CELLS 4000000
metrics._thresholds: ONE_IN (100, 1000), _DRAWS 500
metrics._vectors: _DIGITS 12
metrics._verification: _CELLS 8000000
metrics.collapse: _ROUNDING 1e-06, _OVERLAP 0.1
metrics.few_shot: _DRAWS 100
metrics.linear_probe: _IMAGES 5000
metrics.outer_classes: _TOLERANCE 0.001
metrics.silhouette: _MEBIBYTES 64
networks._lenet_plus_plus: _CHANNELS (32, 64, 128)
networks.mlp: _HIDDEN 128
networks.resnet20: _CHANNELS _BLOCKS ((16, 32, 64), 3)
optimizers._flat: _ALIGNMENT 16
optimizers.adamw: BETAS (0.9, 0.99)
optimizers.muon: ADAMW_SCALE 0.16, BETAS (0.9, 0.99), _COEFFICIENTS (3.4445, -4.775, 2.0315), _ITERATIONS 3,
    _LARGE 65536, _PADDED 4194304
reports.animation: _DPI 110, _REST 2.5
reports.document: FORMAT 2
reports.experiment: _PANEL_LOSSES 5
reports.explorer.data: _GRID 600, _REACH 1.6, _NO_ANGLE 255, _COLUMNS 100, _TILE 64
reports.explorer.page: _CELL 2
reports.figure_files: _DPI 200, _SCREEN_DPI 90, _EDGE 0.04, _SPARE 0.1, _GALLERY 20, _GALLERY_DPI 120, _GALLERY_COLORS 256
reports.loss_benchmark.comparison_text: _NAMED 8
reports.loss_benchmark.correlations: _FEWEST 4
reports.loss_benchmark.evidence: _STRIDE 1000000
reports.loss_benchmark.figures: _DIGITS 9
reports.loss_benchmark.limits: _POOR 3
reports.loss_benchmark.scores: LEVEL 0.05, SHARED 1.5
reports.loss_benchmark.search_section: _END 0.05
reports.onnx_file: TOLERANCE 0.0001, CHECKED_IMAGES 1000
reports.reproduction_page: FORMAT 1
reports.result_tables: _LISTED 6
reports.tensorboard: FEATURES 2000, _SPRITE 64
reproductions._checks: _LEVEL 0.05
reproductions._reproduction: QUICK_SEEDS 2
reproductions._results: _LEARNED 0.5
runs.attacks: _LARGEST 255.0, _PGD_STEPS _PGD_RESTARTS (20, 2), _APGD_STEPS _QUERIES (100, 1000), _FIRST_AREA
    0.8, _HALVED_AFTER (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
runs.config: FORMAT 1
runs.model: _BATCH 1000
runs.robustness: IMAGES 1000, _BATCH 250
specs.dataset_spec: _USUAL_SAMPLES 240000
specs.expressions: _MAX_LENGTH 1000
specs.feasibility: USEFUL_PROBABILITY 0.9, _SEARCHABLE 50000
specs.plugins: _THREAD_TIME 1.0
statistics.paired: TIE 1e-09, _EXACT 32, _EXACT_TOGETHER 16, _FLIPS 100000, _BATCH 1000, _MOST_SEEDS 10000
tables: _NARROW 14, _GAP 3, _LATEX_WIDTH _LATEX_GAP (90, 2)
training.cuda_graph: _EAGER_STEPS 3
training.evaluation: _REFERENCE 5000
training.process: _M_TRIM_THRESHOLD _M_MMAP_THRESHOLD (-1, -3), _MAX_BYTES 1073741824
training.snapshots: MAX_IMAGES MAX_IMAGES_UP_TO (2000, 20), _REFERENCE 1000
training.trainer: _AUGMENTED_EPOCHS 0.75
"""
"""By module, the numbers with a name."""
DEFAULTS = """
axes 1; batch_size 1024 | 128; blocks 1; cheap True; classes 10; compare 'as the loss'; confidence 0.95;
decides True; default 'compared'; degrees (20, 100); deviation (128.0,); device 'auto'; digits 2; dim 2;
download True; drawn_from 'runs'; ended True; epoch_share 1.0; epochs 1 | 30; eval_split 'test'; factor 2;
figure 'features'; fontsize 'medium'; form 'gif' | 'png'; fps 4.0; grace 10.0 | 20.0; header True; help
'length s given to the features'; hidden 96; higher_is_better True; imbalance 1.0; kind 'losses'; le 2;
level 0.05; loss 'center' | 'softmax' | True; losses ('all',); mean (127.5,); metric 'test_accuracy' |
'val_accuracy'; name 'local'; names True; needs 'features'; needs_files True; network True; noise_kind
'symmetric'; of_runs True; on_command_line True; option '--seeds'; panel 'Output' | 'Training'; power 0.8;
progress True; projection 'pca'; repeats 25 | 3 | 5 | 9; results 'results'; rounds 1; sampler 'shuffled';
seeds '0' | 20 | 30; sets 'data sets'; settings 'defaults'; several_runs True; smallest_batch 1; sort
'oldest'; stored_at_default True; stride 1; style 'paper'; target 1.0 | 98.5; threads 1; timeout -1;
together 1; tolerance 0.2; total_runs 1; trained True; unit 'percentage points'; view 'raw'; warm_up 2;
which 'compared'; width 0.6; xlabel 'mean rank (1 is best)'
"""
"""By argument of a function or field of a class, its defaults that are not empty, but for those of losses."""
EMPTY = """
accepts address after against aliases alpha arguments as_loss_compares as_written baseline below benchmark
block budget by_loss by_seed catalog changed check choices classes_per_batch column command comment compose
conditions content cosine count cpus_per_run data data_dir datasets decay default_text departures details
device_name diagonal digest document end epoch error failure features fetch fewer_seeds figures files
finished folder folders force formats free ge given gpus_per_run gradients group groups half_way half_width
hint image_size jobs json key label label_noise lam largest least left_out like limit linear lists loading
location lossbench margin means measuring message metrics milestones moment momentum more named narrowest
needed nesterov networks note number numbers omitted on_images optional output over over_classes own paper
parameters part parts point precision precisions prefix problems python quick reason recipe
result rule run_step runs samples samples_per_class scale scores seconds seed separator several shows
signed smallest snapshots source split split_seed splits status stream sweep swept system table tags
tensorboard test_accuracy text title tools torch train train_accuracy train_size trials tuned tuning unknown
unseen unseen_classes until_wrong val_accuracy validation version wanted warmup weight why without workers
"""
"""Arguments and fields whose every default is empty: None, False, 0 or nothing."""


@cache
def modules() -> dict[str, ast.Module]:
    files = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")
    }
    return {name: ast.parse(files[name].read_text(encoding="utf-8")) for name in sorted(files)}


def is_numeric(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(is_numeric, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers_of(body: Sequence[ast.stmt]) -> Iterator[str]:
    """`NAME value` of each number, or tuple of numbers, that has a name in a module."""
    for node in body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        names = [each.id for each in getattr(target, "elts", [target]) if isinstance(each, ast.Name)]
        if names and getattr(node, "value", None) is not None:
            try:
                value = eval(compile(ast.Expression(node.value), "", "eval"), {"__builtins__": {}})
            except NameError:
                continue
            if is_numeric(value):
                yield f"{' '.join(names)} {value}"


def defaults_of(body: Sequence[ast.stmt], *, fields: bool = False) -> Iterator[tuple[str, ast.expr]]:
    """The default of each argument of the functions, and of each field of the classes."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from defaults_of(node.body, fields=True)
        elif isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
            yield from zip(reversed(names), reversed(node.args.defaults), strict=False)
            for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
                if default is not None:
                    yield argument.arg, default
        elif fields and isinstance(node, ast.AnnAssign | ast.Assign) and node.value:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield target.id, node.value


def test_numbers_are_those_written_here() -> None:
    found = {name: ", ".join(numbers_of(module.body)) for name, module in modules().items()}
    written = dict(line.split(": ", 1) for line in NUMBERS.replace("\n    ", " ").strip().splitlines())
    assert {name: found.get(name) for name in written} == written  # a new file need not be listed


def test_defaults_are_those_written_here() -> None:
    found = defaultdict(set)
    for name, module in modules().items():
        for argument, node in defaults_of(module.body) if not name.startswith("losses.") else ():
            try:
                value = ast.literal_eval(node)
            except ValueError:  # no constant
                continue
            if value and value is not ...:
                found[argument].add(repr(value))
    for line in " ".join(DEFAULTS.split()).split("; "):
        name, values = line.split(" ", 1)
        assert set(values.split(" | ")) == found[name], name  # a new name need not be listed
    assert not [name for name in EMPTY.split() if found[name]]
