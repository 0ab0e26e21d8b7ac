"""A run's id: a hash of everything that decides its numbers, and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.settings import NUMBERS, digest
from xner_bench.sources import EACH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xner_bench.results import Run
    from xner_bench.settings import RunSettings

UNHASHED = frozenset(
    {
        *("seed", "encoder", "encoder_revision", "profiles", "perturb", "true_protocol", "few_shot", "sampling"),
        "elsewhere",
    }
)
OF_LANGUAGE = frozenset({"source", "targets", "harmonize"})  # what follows from the language, where it is one


class Identity(NamedTuple):
    """What a run is called in the store, and what it is called together with its other seeds."""

    run_id: str
    entry_id: str


def identity(
    settings: RunSettings, method_origin: str, encoder: str, data: Mapping[str, str], numbers: int = NUMBERS
) -> Identity:
    """Settings, and the contents of data ("wikiann:en train" -> fingerprint) and encoder, wherever they lie.

    The encoder's name and place are no part of it, nor the order of the targets; a plugin's version is: another one may
    compute other numbers.
    """
    own: dict[str, Any] = settings.model_dump(mode="json", exclude=set(UNHASHED))
    own["targets"] = sorted(settings.corpora)  # the sources are always tested
    if not settings.chosen_on:  # as before there was such a thing
        del own["chosen_on"]
    entry = {"numbers": numbers, "settings": own, "method": method_origin, "encoder": encoder, "data": dict(data)}
    run = {**entry, "seed": settings.seed}
    name = f"{settings.method}-{settings.suite}"
    return Identity(f"{name}-s{settings.seed}-{digest(run)[:12]}", f"{name}-{digest(entry)[:12]}")


def each_id(run: Run) -> str:
    """What runs of single languages on themselves are called together: an entry id of all but language and data, and
    of what the suite lets follow from the language."""
    own = run.settings.model_dump(mode="json", exclude={*UNHASHED, *OF_LANGUAGE})
    own["training"] |= run.settings.elsewhere
    entry = [numbers_of(run), own, run.method_origin, run.encoder.fingerprint]
    return f"{run.settings.method}-{run.settings.suite}-{EACH}-{digest(entry)[:12]}"


def numbers_of(run: Run) -> int | None:
    """By which arithmetic (`settings.NUMBERS`) a record got its ids; None where no known one gives them."""
    data = {f"{record.corpus} {record.split}": record.fingerprint for record in run.data}
    for numbers in range(NUMBERS, 0, -1):
        if identity(run.settings, run.method_origin, run.encoder.fingerprint, data, numbers) == (
            run.run_id,
            run.entry_id,
        ):
            return numbers
    return None
