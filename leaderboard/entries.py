"""Runs to entries: runs that differ in the seed alone are one entry, with a label of its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from xner_bench import registry
from xner_bench.encoder import MINI
from xner_bench.errors import XnerError
from xner_bench.leaderboard.cells import plain, setting
from xner_bench.settings import Training, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Suite
    from xner_bench.results import Run
    from xner_bench.settings import RunSettings

_SHORT = {
    "batch_size": "batch",
    "max_length": "length",
    "weight_decay": "decay",
    "subword_labels": "labelled subwords",
}


@dataclass(frozen=True)
class Entry:
    """What is ranked: all finished runs of one set-up."""

    label: str
    suite: str
    runs: tuple[Run, ...]  # by seed
    departures: str  # from the suite's own settings: "epochs 3, 22 of 34 targets"

    @property
    def run(self) -> Run:
        """The run of the lowest seed; what all of them share is read here."""
        return self.runs[0]


def entries(runs: Iterable[Run], suite: Suite) -> list[Entry]:
    """Entries of one suite by label; runs that are not done are left out."""
    grouped = _grouped(run for run in runs if run.state == "done")
    labels = _labels([runs[0] for runs in grouped], suite)
    found = [
        Entry(labels[runs[0].entry_id], suite.name, runs, ", ".join(departures(runs[0], suite))) for runs in grouped
    ]
    return sorted(found, key=lambda entry: entry.label)


def departures(run: Run, suite: Suite) -> list[str]:
    """What a run does otherwise than its suite says, as far as it may change a number."""
    said = dict(suite.training)
    settings = run.settings
    found = [f"source {plain(settings.source)}"] if settings.source != suite.source else []
    if suite.encoder not in (run.encoder.name, settings.encoder):
        found.append(f"encoder {plain(run.encoder.name)}")
    elif run.encoder.revision is None and run.encoder.name != MINI:  # neither the hub's nor the package's
        found.append(f"encoder from a folder, {run.encoder.fingerprint[:8]}")
    elif run.encoder.revision and suite.encoder_revision not in (None, run.encoder.revision):
        found.append(f"encoder revision {plain(run.encoder.revision)[:8]}")
    trained = settings.training.model_dump()
    found += [
        _training_text(name, trained[name])
        for name in trained
        if name in said and said[name] not in (trained[name], "auto")  # which leaves it to the machine
    ]
    if settings.types != tuple(suite.types):
        found.append(f"types {plain(' '.join(settings.types))}")
    left_out = {item.corpus for item in run.missing if item.split == "test"}
    used = [target for target in suite.targets if target in settings.corpora and target not in left_out]
    if len(used) < len(suite.targets):
        found.append(f"{len(used)} of {len(suite.targets)} targets")
    return found


def _grouped(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Runs of the same entry together, by seed. A seed that comes twice is an XnerError."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.settings.seed, run.run_id)):
        same = found[run.entry_id]
        if same and same[-1].settings.seed == run.settings.seed:
            twins = f"{same[-1].run_id} and {run.run_id}"
            raise XnerError(f"runs {twins} are one set-up with one seed, {run.settings.seed}; move one of them away")
        same.append(run)
    return [tuple(found[entry]) for entry in sorted(found)]


def _labels(runs: Sequence[Run], suite: Suite) -> dict[str, str]:
    """entry id -> label: method and options, and of the other settings only those that tell entries apart."""
    varying = _varying_options(runs)
    labels = {run.entry_id: own_label(run.settings, varying[run.settings.method]) for run in runs}
    for aspect in _aspects(suite):
        for same in _collisions(runs, labels):
            texts = {run.entry_id: aspect(run) for run in same}
            if len(set(texts.values())) > 1:
                labels |= {entry: f"{labels[entry]}, {text}" for entry, text in texts.items() if text}
    return labels


def _collisions(runs: Sequence[Run], labels: Mapping[str, str]) -> list[list[Run]]:
    same: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        same[labels[run.entry_id]].append(run)
    return [group for group in same.values() if len(group) > 1]


def own_label(settings: RunSettings, varying: Collection[str] = ()) -> str:
    """The method and its options, and by whose labels they were chosen."""
    chosen = "" if settings.zero_shot else f", chosen on {' '.join(map(plain, settings.chosen_on))}"
    return method_label(settings, varying) + chosen


def method_label(settings: RunSettings, varying: Collection[str] = ()) -> str:
    """`slicer h=8`: numbers always, words and switches where they vary or are not the method's default."""
    usual = registry.defaults(settings.method)  # none where it is not installed here, so that all are shown
    options = sorted(settings.options.items(), key=lambda item: (not _is_number(item[1]), item[0]))
    shown = [
        f"{plain(name)}={setting(value)}"
        for name, value in options
        if name in varying or name not in usual or usual[name] != value or _is_number(value)
    ]
    return " ".join((plain(settings.method), *shown))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _varying_options(runs: Iterable[Run]) -> dict[str, set[str]]:
    """method -> options in which its entries differ."""
    seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        seen[run.settings.method].append(run.settings.options)
    return {method: {name for name in set().union(*every) if _differ(name, every)} for method, every in seen.items()}


def _differ(name: str, every: Sequence[Mapping[str, Any]]) -> bool:
    return any(name not in options or options[name] != every[0].get(name) for options in every)


def _aspects(suite: Suite) -> Iterator[Callable[[Run], str]]:
    """Settings that may tell two entries with equal labels apart, likeliest first; the last always does."""
    yield lambda run: plain(run.encoder.name)
    for name in ("lr", *(name for name in Training.model_fields if name != "lr")):
        yield partial(_training_aspect, name)
    yield lambda run: f"from {plain(run.settings.source)}" if run.settings.source != suite.source else ""
    yield lambda run: f"{len(run.settings.targets)} targets"
    yield lambda run: f"without {left_out} splits" if (left_out := len(run.missing)) else ""
    yield lambda run: f"profiles {' '.join(run.settings.profiles)}"
    yield lambda run: f"types {plain(' '.join(run.settings.types))}"
    yield lambda run: f"encoder {run.encoder.fingerprint[:8]}"
    yield lambda run: f"data {_data(run)[:8]}"
    yield lambda run: plain(run.method_origin)
    yield lambda run: run.entry_id[:8]
    yield lambda run: run.entry_id


def _data(run: Run) -> str:
    return digest(sorted((item.corpus, item.split, item.fingerprint) for item in run.data))


def _training_aspect(name: str, run: Run) -> str:
    return _training_text(name, getattr(run.settings.training, name))


def _training_text(name: str, value: object) -> str:
    return f"{_SHORT.get(name, name)} {setting(value)}"
