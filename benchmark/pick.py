"""Runs picked and ordered by what they are: `state=done`, `h=1,2`, `seed=42-51`, `lr=1e-5`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench import compare, identity, registry, sources, survey
from xner_bench.errors import UnknownName, XnerError
from xner_bench.settings import Training

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xner_bench.results import Run
    from xner_bench.survey import Phase

RANGE = re.compile(r"(\d+)-(\d+)")
WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
OWN = ("run", "entry", "state", "suite", "method", "seed", "encoder", "source", "targets", "started", "seconds")


class Listed(NamedTuple):
    """A run, and how far it is."""

    run: Run
    phase: Phase

    def values(self) -> dict[str, Any]:
        """Everything that runs can be picked and ordered by."""
        run = self.run
        told = {"run": run.run_id, "entry": run.entry_id, "state": self.phase}
        spent = {"started": run.provenance.get("started"), "seconds": round(survey.took(run), 1)}
        return {**told, **compare.settings_of(run), "encoder": run.encoder.name, **spent}


class Filter(NamedTuple):
    """A key, and the values of which one is wanted."""

    key: str
    values: tuple[str, ...]

    def takes(self, one: Listed) -> bool:
        found = one.values()
        if self.key not in found:
            return False
        either = (found[self.key], *_other_names(one, self.key))
        return any(same(value, text) for value in either for text in self.values)


def read(texts: Iterable[str], runs: Sequence[Run]) -> list[Filter]:
    """Filters as they are typed. XnerError for a key that no run and no method has, or for a value that none can have.

    What could be is taken: a seed or a suite that no run here has picks nothing.
    """
    known = keys(runs)
    filters = [_read(text, known) for text in texts]
    for one in filters:
        _check(one, runs)
    return filters


def keys(runs: Iterable[Run]) -> set[str]:
    """All that can be filtered by: of every run, of the training, and of every method here."""
    of_runs = {name for run in runs for name in compare.settings_of(run)}
    of_methods = {name for one in registry.listing() if one.method for name in one.method.model_fields}
    return {*OWN, *Training.model_fields, *of_runs, *of_methods}


def _read(text: str, known: set[str]) -> Filter:
    key, sign, values = text.partition("=")
    name = key.strip().lstrip("-").replace("-", "_")
    wanted = tuple(value.strip() for value in values.split(",") if value.strip())
    if not (sign and name):
        raise XnerError(f"--filter {text!r} is not key=value; write, for example, --filter state=failed")
    if name not in known:
        raise UnknownName("key to filter by", name, known)
    if not wanted:
        raise XnerError(f"--filter {text!r} has no value after its =; write one, or several parted by commas")
    if name == "source":
        wanted = tuple(sources.joined(sources.parts(value)) for value in wanted)  # in whatever order they are typed
    return Filter(name, wanted)


def _check(one: Filter, runs: Iterable[Run]) -> None:
    """Refuse what is misspelt: a state or a method that there is not, a word where every run has a number."""
    names: dict[str, set[str]] = {
        "state": {*survey.PHASES, *survey.STATES},
        "method": {*registry.names(), *(run.settings.method for run in runs)},
    }
    for value in one.values:
        if one.key in names and value not in names[one.key]:
            raise UnknownName(one.key, value, names[one.key])
        if not _is_number(value) and _numeric(one.key, runs):
            raise XnerError(f"--filter {one.key}={value}: {value!r} is no number, as every run's {one.key} is")


def _is_number(text: str) -> bool:
    """Whether a number, or none, is meant; so is a range of whole ones."""
    if text.lower() == "none" or RANGE.fullmatch(text):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numeric(key: str, runs: Iterable[Run]) -> bool:
    """Whether all runs that have a key have a number there."""
    found = [told[key] for told in map(compare.settings_of, runs) if told.get(key) is not None]
    numbers = [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]
    return key == "seconds" or (bool(numbers) and len(numbers) == len(found))


def same(value: object, text: str) -> bool:
    """Whether a setting is what somebody typed: 1e-5 is 0.00001, 42-51 is any of ten seeds, none is None."""
    if isinstance(value, list | tuple):
        return any(same(one, text) for one in value)
    if value is None or isinstance(value, bool):
        return text.lower() == "none" if value is None else WORDS.get(text.lower()) is value
    if isinstance(value, int | float):
        return _same_number(value, text)
    return str(value) == text


def _same_number(value: float, text: str) -> bool:
    if between := RANGE.fullmatch(text):
        return isinstance(value, int) and int(between[1]) <= value <= int(between[2])
    try:
        return float(text) == value
    except ValueError:
        return False


def _other_names(one: Listed, key: str) -> tuple[str, ...]:
    """A state's other name, each of several sources, a language by its code alone, an encoder by its folder."""
    settings = one.run.settings
    each, codes = settings.on_itself, _codes(settings.sources)
    names = {
        "entry": (identity.each_id(one.run),) if each and key == "entry" else (),
        "state": (one.run.state,),
        "source": (*settings.sources, *codes, sources.joined(codes), *[sources.EACH] * each),
        "targets": _codes(settings.targets),
        "encoder": (settings.encoder,),
    }
    return names.get(key, ())


def _codes(corpora: Iterable[str]) -> tuple[str, ...]:
    return tuple(corpus.partition(":")[2] for corpus in corpora)


def ordered(runs: Iterable[Listed], key: str) -> list[Listed]:
    """Runs by a key, `-key` from the greatest down; those that lack it come last."""
    down, name = key.startswith("-"), key.lstrip("-").replace("-", "_")
    every = [(one, one.values().get(name)) for one in runs]
    if every and name not in (known := keys(one.run for one, _ in every)):
        raise UnknownName("key to sort by", name, known)
    having = [(one, value) for one, value in every if value is not None]
    having.sort(key=lambda pair: _order(pair[1]), reverse=down)
    return [one for one, _ in (*having, *((one, value) for one, value in every if value is None))]


def _order(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return not number, float(value) if number else 0.0, "" if number else str(value)
