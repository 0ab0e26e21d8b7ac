"""What was asked for, completed from the suite: the one way from a command line or a notebook to RunSettings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from xner_bench import registry
from xner_bench.cards import DROP
from xner_bench.errors import UnknownName, XnerError
from xner_bench.settings import RunSettings, Training
from xner_bench.sources import EACH, JOIN, joined, parts

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
    perturb: Iterable[str] = (),
    few_shot: Iterable[int] = (),
    sampling: Iterable[str] = (),
    seed: int | None = None,
    chosen_on: Iterable[str] = (),
    **training: Any,
) -> RunSettings:
    """Complete settings from a suite; whatever is None stays as the suite says.

    `options` are the method's own fields, `training` fields of `Training` (lr, epochs, ...); `clip` alone may be None,
    which is no clipping. Languages may be given as
    the catalogue spells them ("wikiann:sw") or by their code alone where the suite's data sets have only one such;
    several sources at once are joined by + or commas.
    Profiles are scored besides the suite's own, and the test splits of `perturb` besides the regular ones. `few_shot`
    are numbers of sentences of each target to go on from, `sampling` how they are drawn (by default at random). Raises
    XnerError in the words of the command line.
    """
    chosen = catalogue.suite(suite)
    given = {name: value for name, value in training.items() if value is not None or name == "clip"}
    base = dict(chosen.training)
    own_seed = base.pop("seed")
    made = registry.make(method, dict(options or {}))
    trained = _source(catalogue, chosen, source)
    wanted = tuple(key(catalogue, chosen, target) for target in targets) if targets is not None else chosen.targets
    if not wanted:
        raise XnerError(f"no target is given; leave the targets out for those of suite {suite!r}, or name some")
    corpora = dict.fromkeys((*parts(trained), *wanted))
    own = chosen.alone(trained, wanted)
    try:
        settled = Training.model_validate({**base, **own, **given})
        return RunSettings(
            suite=suite,
            method=registry.canonical(method),
            options=made.model_dump(mode="json"),
            encoder=encoder or chosen.encoder,
            encoder_revision=encoder_revision
            or (chosen.encoder_revision if encoder in (None, chosen.encoder) else None),
            source=trained,
            targets=tuple(dict.fromkeys(wanted)),
            types=chosen.types,
            harmonize=_harmonization(catalogue, chosen, corpora),
            training=settled,
            seed=own_seed if seed is None else seed,
            profiles=tuple(dict.fromkeys((*chosen.profiles, *profiles))),
            perturb=tuple(perturb),
            **_few_shot(tuple(few_shot), tuple(sampling)),
            true_protocol=chosen.true_protocol,
            chosen_on=tuple(sorted({key(catalogue, chosen, name) for name in chosen_on})),
            elsewhere={name: base[name] for name, value in own.items() if getattr(settled, name) == value},
        )
    except ValidationError as error:
        raise XnerError("; ".join(complaint(problem) for problem in error.errors())) from error


def _few_shot(few_shot: tuple[int, ...], sampling: tuple[str, ...]) -> dict[str, Any]:
    """Fields of the settings that say on what few-shot fine-tuning is to be done."""
    if sampling and not few_shot:
        said = f"--sampling {','.join(sampling)} is of few-shot fine-tuning, which is not asked for"
        raise XnerError(f"{said}; add --few-shot 10,100 or leave it out")
    return {"few_shot": few_shot, "sampling": sampling} if sampling else {"few_shot": few_shot}


def _source(catalogue: Catalogue, suite: Suite, given: str | None) -> str:
    """What is trained on, with full names. XnerError where it is no source of one run."""
    names = [name.strip() for name in re.split(f"[{JOIN},]", given or suite.source)]
    if names == [EACH]:
        raise XnerError(
            f"source {EACH} is a run for every target of suite {suite.name!r}, and this is one run; "
            f"name a language, or do all of them with `xner-bench run --source {EACH}`"
        )
    if "" in names:
        raise XnerError(f"source {given!r} has an empty place; write LANG, or LANG,LANG to train on several at once")
    if EACH in names:
        raise XnerError(f"source {given!r} has {EACH} among languages; it stands alone, or leave it out")
    found = joined(key(catalogue, suite, name) for name in names)
    _check_types(catalogue, suite, parts(found))
    return found


def _check_types(catalogue: Catalogue, suite: Suite, trained: Iterable[str]) -> None:
    """All sources have the suite's types, no fewer and no more: what one of them leaves as O would teach that it is."""
    for name in trained:
        card, _ = catalogue.language(name)
        found = [kind for kind in suite.types_of(card) if kind != DROP]
        if {*found} != {*suite.types}:
            raise XnerError(
                f"source {name} has the types {', '.join(found)}, and suite {suite.name!r} trains on "
                f"{', '.join(suite.types)}; take a source that has just these, or harmonize it in a suite of your own"
            )


def key(catalogue: Catalogue, suite: Suite, name: str) -> str:
    """The full name of a language: "wikiann:sw" as it is, "sw" if the suite's data sets have one such language."""
    if ":" in name:
        catalogue.language(name)
        return name
    datasets = dict.fromkeys(corpus.partition(":")[0] for corpus in (*suite.sources, *suite.targets))
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
