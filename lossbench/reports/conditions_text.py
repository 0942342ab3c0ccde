"""The conditions of runs in sentences: data, network, schedule, machine, versions and dates."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..runs.config import RunConfig, dataset_titles
from ..runs.outcome import Outcome
from ..runs.result import RunResult, Status
from ..specs import NO_AUGMENTATION, catalog, value_text
from ..specs.quantities import metric_name, number_spec
from ..tables import seeds_text


def conditions(outcomes: Sequence[Outcome], shown: Iterable[str] = ()) -> str:
    """Data, network, schedule, machine, versions and dates of the runs that are done, as sentences, and
    in what losses are not treated alike; `shown` are the numbers beside which the sentences stand."""
    done = [(o.config, o.result) for o in outcomes if o.status is Status.DONE and o.result]
    if not done:
        return ""
    configs, results = zip(*done, strict=True)
    titles = dataset_titles([config.dataset for config in configs])
    data = dict.fromkeys(f"{t} with {c.val_size:,}" for t, c in zip(titles, configs, strict=True))
    dates = sorted({result.finished[:10] for result in results})
    machines = [result.machine for result in results]

    def distinct(name: str, of: Sequence[object] = configs) -> str:
        return join_distinct(getattr(one, name) for one in of)

    threads, epochs = distinct("threads", machines), distinct("epochs")
    optimizers = join_distinct(catalog.spec("optimizers", config.optimizer).title for config in configs)
    seeds = seeds_text(sorted({config.seed for config in configs}))
    classes = " and ".join(dict.fromkeys(config.unseen_names for config in configs if config.unseen))
    unseen = f"Classes {classes} are kept out of training. " if classes else ""
    changed = dict.fromkeys(filter(None, (_training_conditions(config) for config in configs)))
    unseen += f"Training split: {'; '.join(changed)}. " if changed else ""
    return (
        f"{', '.join(data)} validation images held out of training; "
        f"network {distinct('network')} ({distinct('parameters', results)} parameters), "
        f"{distinct('feature_dim')}-D features; {epochs} epoch{'s' * (epochs != '1')}, "
        f"batch {distinct('batch_size')}, {optimizers}, peak learning rate {distinct('lr')}; "
        f"{seeds}. {unseen}{_unlike_treatment(done, shown)}"
        "Intervals are 95 % Student intervals over seeds, cut off at what a number can be. "
        f"Convolutions in {distinct('precision', results)} on {distinct('device_name', machines)}, "
        f"{threads} thread{'s' * (threads != '1')} per run; torch {distinct('torch', machines)}, "
        f"Python {distinct('python', machines)}, lossbench {distinct('lossbench', results)}; "
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}."
    )


def _unlike_treatment(done: Sequence[tuple[RunConfig, RunResult]], shown: Iterable[str]) -> str:
    """Sentences on how batches, accuracy and the numbers `shown` of one loss differ from those of another."""
    names = dict.fromkeys(name for name in shown if any(name in result.numbers for _, result in done))
    compared = [metric_name(name) for name in names if number_spec(name).as_loss_compares]
    configs = [config for config, _ in done]
    words = {c.title: "class-balanced" if c.sampler == "balanced" else "shuffled" for c in configs}
    sentences = [_by_loss("Batches are", words)]
    sentences += [_by_loss("Accuracy is", {c.title: f"by {c.rule}" for c in configs})]
    if compared:
        words = {c.title: "by cosine" if c.cosine else "by Euclidean distance" for c in configs}
        listed = " and ".join(filter(None, [", ".join(compared[:-1]), compared[-1]]))
        sentences += [_by_loss(f"In {listed}, features are compared", words)]
    return "".join(sentences)


def _by_loss(beginning: str, words: Mapping[str, str]) -> str:
    """A sentence such as 'Batches are class-balanced under Triplet; shuffled under the others. ' from the
    words for each loss; '' where these are the same for all."""
    groups: dict[str, list[str]] = {}
    for title, word in words.items():
        groups.setdefault(word, []).append(title)
    *named, (last, others) = sorted(groups.items(), key=lambda group: len(group[1]))
    parts = [f"{word} under {', '.join(titles)}" for word, titles in named]
    parts.append(f"{last} under {others[0] if len(others) == 1 else 'the others'}")
    return f"{beginning} {'; '.join(parts)}. " if named else ""


def _training_conditions(config: RunConfig) -> str:
    """What changed the training split of a run, in words; '' for nothing."""
    parts = [f"{config.train_size:,} images"] if config.train_size else []
    parts += [f"imbalance {config.imbalance:g}"] if config.imbalance > 1 else []
    parts += [f"{config.label_noise:.0%} {config.noise_kind} label noise"] if config.label_noise else []
    changed = config.augment != NO_AUGMENTATION
    parts += [f"images changed by {config.augment.replace(',', ' and ')}"] if changed else []
    return ", ".join(parts)


def join_distinct(values: Iterable[Any]) -> str:
    """Distinct values in order; of more than four numbers the smallest and the largest, of other values the
    first and the last."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) <= 4:
        return ", ".join(map(_text, distinct))
    if all(isinstance(value, int | float) for value in distinct):
        return f"{_text(min(distinct))} to {_text(max(distinct))}"
    return f"{_text(distinct[0])} ... {_text(distinct[-1])}"


def _text(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return value_text(value) if isinstance(value, float) else str(value)
