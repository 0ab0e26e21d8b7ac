"""What was asked for, completed from the suite: the one way from a command line or a notebook to RunSettings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from xner_bench import registry
from xner_bench.errors import UnknownName, XnerError
from xner_bench.settings import RunSettings, Training

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xner_bench.catalogue import Catalogue, Suite

DEFAULT_SUITE = "quick"


def settle(
    catalogue: Catalogue,
    suite: str = DEFAULT_SUITE,
    method: str = "standard",
    *,
    options: Mapping[str, Any] | None = None,
    encoder: str | None = None,
    encoder_revision: str | None = None,
    source: str | None = None,
    targets: Iterable[str] | None = None,
    profiles: Iterable[str] = (),
    seed: int | None = None,
    chosen_on: Iterable[str] = (),
    **training: Any,
) -> RunSettings:
    """Complete settings from a suite; whatever is None stays as the suite says.

    `options` are the method's own fields, `training` fields of `Training` (lr, epochs, ...); `clip` alone may be None,
    which is no clipping. Languages may be given as
    the catalogue spells them ("wikiann:sw") or by their code alone where the suite's data sets have only one such.
    Profiles are scored besides the suite's own. Raises XnerError in the words of the command line.
    """
    chosen = catalogue.suite(suite)
    given = {name: value for name, value in training.items() if value is not None or name == "clip"}
    base = dict(chosen.training)
    own_seed = base.pop("seed")
    made = registry.make(method, dict(options or {}))
    named = source and key(catalogue, chosen, source)
    wanted = tuple(key(catalogue, chosen, target) for target in targets) if targets is not None else chosen.targets
    if not wanted:
        raise XnerError(f"no target is given; leave the targets out for those of suite {suite!r}, or name some")
    corpora = dict.fromkeys((named or chosen.source, *wanted))
    try:
        return RunSettings(
            suite=suite,
            method=method,
            options=made.model_dump(mode="json"),
            encoder=encoder or chosen.encoder,
            encoder_revision=encoder_revision
            or (chosen.encoder_revision if encoder in (None, chosen.encoder) else None),
            source=named or chosen.source,
            targets=tuple(dict.fromkeys(wanted)),
            types=chosen.types,
            harmonize=_harmonization(catalogue, chosen, corpora),
            training=Training.model_validate({**base, **given}),
            seed=own_seed if seed is None else seed,
            profiles=tuple(dict.fromkeys((*chosen.profiles, *profiles))),
            true_protocol=chosen.true_protocol,
            chosen_on=tuple(sorted({key(catalogue, chosen, name) for name in chosen_on})),
        )
    except ValidationError as error:
        raise XnerError("; ".join(complaint(problem) for problem in error.errors())) from error


def key(catalogue: Catalogue, suite: Suite, name: str) -> str:
    """The full name of a language: "wikiann:sw" as it is, "sw" if the suite's data sets have one such language."""
    if ":" in name:
        catalogue.language(name)
        return name
    datasets = dict.fromkeys(corpus.partition(":")[0] for corpus in (suite.source, *suite.targets))
    found = [f"{dataset}:{name}" for dataset in datasets if name in catalogue.card(dataset).languages]
    if len(found) > 1:
        raise XnerError(f"language {name!r} is in several data sets; say {' or '.join(found)}")
    if not found:
        known = [code for dataset in datasets for code in catalogue.card(dataset).languages]
        raise UnknownName("language", name, known, f"in {' or '.join(datasets)}")
    return found[0]


def _harmonization(catalogue: Catalogue, suite: Suite, corpora: Iterable[str]) -> dict[str, dict[str, str]]:
    """Per data set that is read: how its types are mapped, the suite's word before the card's."""
    datasets = sorted({corpus.partition(":")[0] for corpus in corpora})
    return {dataset: suite.harmonization(catalogue.card(dataset)) for dataset in datasets}


def complaint(problem: Any) -> str:
    """What pydantic has against a value, in the words of the command line."""
    flag = "--" + str(problem["loc"][-1] if isinstance(problem["loc"][-1], str) else problem["loc"][-2]).replace(
        "_", "-"
    )
    return f"{flag}: {problem['msg']} (got {problem['input']!r})"
