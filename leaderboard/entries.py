"""Runs to entries: each has a label of its own, and says what it does otherwise than its suite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from xner_bench import registry
from xner_bench.encoder import MINI
from xner_bench.leaderboard.cells import plain, setting
from xner_bench.leaderboard.gather import gather, trained_on
from xner_bench.settings import Training, digest
from xner_bench.sources import EACH, brief, trained

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from xner_bench.catalogue import Suite
    from xner_bench.leaderboard.gather import Seeds
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

    entry_id: str
    suite: str
    source: str  # what its section is of: "wikiann:en", several joined by +, or "each"
    seeds: Seeds
    label: str = ""
    departures: str = ""  # from the suite's own settings: "epochs 3, 22 of 34 targets"

    @property
    def run(self) -> Run:
        """A run of the lowest seed; what all of them share is read here."""
        return self.seeds[0][0]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, by seed."""
        return tuple(run for same in self.seeds for run in same)

    @property
    def corpora(self) -> tuple[str, ...]:
        """Sources and targets, each once."""
        return tuple(dict.fromkeys(name for run in self.runs for name in run.settings.corpora))


def entries(runs: Iterable[Run], suite: Suite) -> list[Entry]:
    """Entries of one suite by label; runs that are not done are left out."""
    gathered = gather((run for run in runs if run.state == "done"), suite)
    found = [
        Entry(name, suite.name, trained_on(seeds[0][0].settings, suite), seeds) for name, seeds in gathered.items()
    ]
    labels = _labels(found, suite)
    named = [replace(one, label=labels[one.entry_id], departures=", ".join(departures(one, suite))) for one in found]
    return sorted(named, key=lambda entry: entry.label)


def departures(entry: Entry, suite: Suite) -> list[str]:
    """What an entry does otherwise than its suite says, as far as it may change a number."""
    run, settings = entry.run, entry.run.settings
    said = {**suite.training, **suite.alone(settings.source, settings.targets)}
    found = [f"source {plain(brief(entry.source))}"] if entry.source != suite.source else []
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
    left_out = {item.corpus for one in entry.runs for item in one.missing if item.split == "test"}
    used = [target for target in suite.targets if target in entry.corpora and target not in left_out]
    if len(used) < len(suite.targets):
        found.append(f"{len(used)} of {len(suite.targets)} targets")
    return found


def _labels(found: Sequence[Entry], suite: Suite) -> dict[str, str]:
    """entry id -> label: method and options, and of the other settings only those that tell entries apart."""
    varying = _varying_options(entry.run for entry in found)
    labels = {one.entry_id: own_label(one.run.settings, varying[one.run.settings.method]) for one in found}
    for aspect in _aspects(suite):
        for same in _collisions(found, labels):
            texts = {entry.entry_id: aspect(entry) for entry in same}
            if len(set(texts.values())) > 1:
                labels |= {entry: f"{labels[entry]}, {text}" for entry, text in texts.items() if text}
    return labels


def _collisions(found: Sequence[Entry], labels: Mapping[str, str]) -> list[list[Entry]]:
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry in found:
        same[labels[entry.entry_id]].append(entry)
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


def _aspects(suite: Suite) -> Iterator[Callable[[Entry], str]]:
    """Settings that may tell two entries with equal labels apart, likeliest first; the last always does."""
    yield lambda entry: plain(entry.run.encoder.name)
    for name in ("lr", *(name for name in Training.model_fields if name != "lr")):
        yield partial(_training_aspect, name)
    yield lambda entry: _source(entry.source) if entry.source != suite.source else ""
    yield lambda entry: f"{len({target for run in entry.seeds[0] for target in run.settings.targets})} targets"
    yield lambda entry: f"without {left_out} splits" if (left_out := sum(_missing(entry))) else ""
    yield lambda entry: f"profiles {' '.join(entry.run.settings.profiles)}"
    yield lambda entry: f"types {plain(' '.join(entry.run.settings.types))}"
    yield lambda entry: f"encoder {entry.run.encoder.fingerprint[:8]}"
    yield lambda entry: f"data {_data(entry)[:8]}"
    yield lambda entry: plain(entry.run.method_origin)
    yield lambda entry: entry.entry_id[:8]
    yield lambda entry: entry.entry_id


def _source(source: str) -> str:
    return trained(source) if source == EACH else f"from {plain(brief(source))}"


def _missing(entry: Entry) -> Iterator[int]:
    return (len(run.missing) for run in entry.seeds[0])


def _data(entry: Entry) -> str:
    return digest(sorted((item.corpus, item.split, item.fingerprint) for run in entry.seeds[0] for item in run.data))


def _training_aspect(name: str, entry: Entry) -> str:
    return _training_text(name, getattr(entry.run.settings.training, name))


def _training_text(name: str, value: object) -> str:
    return f"{_SHORT.get(name, name)} {setting(value)}"
