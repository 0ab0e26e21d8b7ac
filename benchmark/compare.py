"""Two runs side by side: every setting, version and datum in which they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from xner_bench.identity import each_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xner_bench.results import Run

About = Literal["settings", "encoder", "data", "versions", "machine", "outcome"]
Fact = tuple[About, str]  # ("settings", "lr")


class Absent:
    """What one of two runs does not have at all, as opposed to a setting that is none."""

    def __repr__(self) -> str:
        return "–"


ABSENT = Absent()


class Difference(NamedTuple):
    """A fact of two runs that is not the same."""

    about: About
    name: str
    one: object
    other: object


def differences(one: Run, other: Run) -> list[Difference]:
    """Everything in which two runs differ, what decides their numbers first."""
    left, right = facts(one), facts(other)
    names = dict.fromkeys((*left, *right))
    order: list[About] = list(dict.fromkeys(about for about, _ in names))
    found = [Difference(*fact, left.get(fact, ABSENT), right.get(fact, ABSENT)) for fact in names]
    return sorted((one for one in found if one.one != one.other), key=lambda one: order.index(one.about))


def alike(one: Run, other: Run) -> str:
    """What two runs are to each other, in a sentence."""
    if one.run_id == other.run_id:
        return "One run: nothing that decides its numbers differs."
    if one.entry_id == other.entry_id:
        return "One entry of the leaderboard: only the seed decides the difference between their numbers."
    if one.settings.on_itself and other.settings.on_itself and each_id(one) == each_id(other):
        return "One entry of the leaderboard: each language on itself."
    return "Two entries of the leaderboard."


def facts(run: Run) -> dict[Fact, Any]:
    """All that a record says, flat; names are those of the command line where it has one."""
    return dict((*_settings(run), *_encoder(run), *_data(run), *_versions(run), *_machine(run), *_outcome(run)))


def settings_of(run: Run) -> dict[str, Any]:
    """A run's settings, flat: suite, method, its options, source, seed, every field of the training."""
    told = run.settings.model_dump(mode="json", exclude={"options", "training", "harmonize", "elsewhere"})
    flat = {"suite": told.pop("suite"), "method": told.pop("method"), **run.settings.options}
    mapped = {
        f"harmonize {dataset} {kind}": to
        for dataset, mapping in run.settings.harmonize.items()
        for kind, to in mapping.items()
    }
    return {**flat, **run.settings.training.model_dump(mode="json"), **told, **mapped}


def _settings(run: Run) -> Iterator[tuple[Fact, Any]]:
    sources = run.settings.sources
    for name, value in settings_of(run).items():
        yield ("settings", name), list(sources) if name == "source" and len(sources) > 1 else value


def _encoder(run: Run) -> Iterator[tuple[Fact, Any]]:
    for name, value in run.encoder.model_dump(mode="json").items():
        yield ("encoder", name), value


def _data(run: Run) -> Iterator[tuple[Fact, Any]]:
    """What was read: contents first. Equal contents may come from another file."""
    for record in run.data:
        place = f"{record.corpus} {record.split}"
        yield ("data", place), record.fingerprint
        yield ("data", f"{place}: sentences"), record.sentences
        yield ("data", f"{place}: repaired tags"), record.repaired
        yield ("data", f"{place}: file"), record.sha256
    for made in run.perturbed:
        place = f"{made.corpus} {made.split}"
        yield ("data", place), made.fingerprint
        for name, value in made.model_dump(mode="json", exclude={"corpus", "split", "fingerprint"}).items():
            yield ("data", f"{place}: {name}"), value
    for shots in run.few_shot:
        yield ("data", f"{shots.corpus} train, few-shot"), shots.fingerprint or shots.reason
        yield ("data", f"{shots.corpus} train, few-shot: sentences"), shots.sentences
    for item in run.missing:
        yield ("data", f"{item.corpus} {item.split}: missing"), item.reason
    yield ("data", "repair policy"), run.repair_policy


def _versions(run: Run) -> Iterator[tuple[Fact, Any]]:
    yield ("versions", "schema"), run.schema_version
    yield ("versions", "method"), run.method_origin
    yield ("versions", "python"), run.provenance.get("python")
    for name, version in (run.provenance.get("packages") or {}).items():
        yield ("versions", name), version


def _machine(run: Run) -> Iterator[tuple[Fact, Any]]:
    known = {"python", "packages", "started", "command"}  # told elsewhere
    for name, value in run.provenance.items():
        if name not in known:
            yield ("machine", name), value


def _outcome(run: Run) -> Iterator[tuple[Fact, Any]]:
    yield ("outcome", "state"), run.state
    yield ("outcome", "error"), run.error
    yield ("outcome", "checkpoint kept"), run.checkpoint_kept
    yield ("outcome", "started"), run.provenance.get("started")
    for name, spent in run.seconds.items():
        yield ("outcome", f"seconds {name}"), spent
    yield ("outcome", "peak memory, MiB"), run.peak_memory
    yield ("outcome", "peak GPU memory, MiB"), run.peak_gpu_memory
    yield ("outcome", "command"), run.provenance.get("command")
