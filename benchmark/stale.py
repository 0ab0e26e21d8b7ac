"""What of a store is no longer as it should be for whoever goes on with it, and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from xner_bench import identity, registry
from xner_bench.errors import XnerError
from xner_bench.settings import NUMBERS, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xner_bench.catalogue import Catalogue
    from xner_bench.pick import Listed
    from xner_bench.results import Run
    from xner_bench.survey import Unreadable

Kind = Literal["damaged", "misplaced", "interrupted", "suite", "method", "numbers", "schema"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # the gravest first


class Stale(NamedTuple):
    """Runs that are stale for one reason."""

    kind: Kind
    reason: str  # "suite 'toy' is not here; give its folder with --catalogue"
    run_ids: tuple[str, ...]


def stale(runs: Iterable[Listed], unreadable: Iterable[Unreadable], catalogue: Catalogue) -> list[Stale]:
    """Everything stale of a store, the gravest first."""
    found: dict[tuple[Kind, str], list[str]] = defaultdict(list)
    for one in runs:
        for kind, reason in _reasons(one, catalogue):
            found[kind, reason].append(one.run.run_id)
    for lost in unreadable:
        found[_unreadable(lost)].append(lost.run_id)
    every = [Stale(kind, reason, tuple(run_ids)) for (kind, reason), run_ids in found.items()]
    return sorted(every, key=lambda one: KINDS.index(one.kind))


def _reasons(one: Listed, catalogue: Catalogue) -> Iterator[tuple[Kind, str]]:
    settings = one.run.settings
    if one.phase == "interrupted":
        yield "interrupted", "begun, and no process goes on with it; the same command does"
    if settings.suite not in catalogue.suites:
        yield "suite", f"suite {settings.suite!r} is not here; give the folder that declares it with --catalogue"
    if problem := method_problem(one.run):
        yield "method", problem
    elif identity.numbers_of(one.run) not in (None, NUMBERS):
        yield "numbers", "computed as an earlier version did; the same command would do it again, as another run"


def method_problem(run: Run) -> str:
    """Why a run could not be done again with the methods that are here."""
    name = run.settings.method
    if not registry.known(name):
        whose = "" if run.method_origin == registry.BUILT_IN else f"; it was of {run.method_origin}"
        return f"method {name!r} is not installed{whose}"
    try:
        origin = registry.origin(name)
    except XnerError as error:
        return str(error)
    if origin != run.method_origin:
        return f"method {name!r} was of {run.method_origin}, here it is of {origin}: it would be another run"
    return ""


def _unreadable(lost: Unreadable) -> tuple[Kind, str]:
    if lost.schema is not None:
        return "schema", f"written with schema {lost.schema}, this version reads {SCHEMA}; use the one that wrote it"
    if lost.kind == "misplaced":
        return "misplaced", "its folder has another run's record; `xner-bench results check` says more"
    return "damaged", "its record cannot be read; `xner-bench results check` says more"
