"""The conditions of runs in sentences: data, network, schedule, machine, versions and dates."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..runs.config import RunConfig, dataset_title
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import NO_AUGMENTATION, catalog


def conditions(outcomes: Sequence[Outcome]) -> str:
    """Data, network, schedule, machine, versions and dates of the runs that are done, as sentences."""
    done = [(o.config, o.result) for o in outcomes if o.status is Status.DONE and o.result]
    if not done:
        return ""
    configs, results = zip(*done, strict=True)
    data = dict.fromkeys(f"{dataset_title(c.dataset)} with {c.val_size:,}" for c in configs)
    dates = sorted({result.finished[:10] for result in results})

    def setting(name: str) -> str:
        return join_distinct(getattr(config, name) for config in configs)

    def result(name: str) -> str:
        return join_distinct(getattr(result, name) for result in results)

    def machine(name: str) -> str:
        return join_distinct(getattr(result.machine, name) for result in results)

    optimizers = join_distinct(catalog.spec("optimizers", config.optimizer).title for config in configs)
    seeds = ", ".join(map(str, sorted({config.seed for config in configs})))
    classes = " and ".join(dict.fromkeys(config.unseen_names for config in configs if config.unseen))
    unseen = f"Classes {classes} are kept out of training. " if classes else ""
    changed = dict.fromkeys(filter(None, (_training_conditions(config) for config in configs)))
    unseen += f"Training split: {'; '.join(changed)}. " if changed else ""
    return (
        f"{', '.join(data)} validation images held out of training; "
        f"network {setting('network')} ({result('parameters')} parameters), "
        f"{setting('feature_dim')}-D features; {setting('epochs')} epochs, batch {setting('batch_size')}, "
        f"{optimizers}, peak learning rate {setting('lr')}; "
        f"seeds {seeds}. {unseen}Intervals are 95 % Student intervals over seeds, "
        "of fractions cut off at 0 and 100 %. "
        f"Convolutions in {result('precision')} on {machine('device_name')}, "
        f"{machine('threads')} threads per run; torch {machine('torch')}, "
        f"Python {machine('python')}, lossbench {result('lossbench')}; "
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}."
    )


def _training_conditions(config: RunConfig) -> str:
    """What changed the training split of a run, in words; '' for nothing."""
    parts = [f"{config.train_size:,} images"] if config.train_size else []
    parts += [f"imbalance {config.imbalance:g}"] if config.imbalance > 1 else []
    parts += [f"{config.label_noise:.0%} {config.noise_kind} label noise"] if config.label_noise else []
    changed = config.augment != NO_AUGMENTATION
    parts += [f"images changed by {config.augment.replace(',', ' and ')}"] if changed else []
    return ", ".join(parts)


def join_distinct(values: Iterable[Any]) -> str:
    """Distinct values in order, of more than four the first and the last."""
    distinct = [f"{value:,}" if isinstance(value, int) else str(value) for value in dict.fromkeys(values)]
    return ", ".join(distinct) if len(distinct) <= 4 else f"{distinct[0]} ... {distinct[-1]}"
