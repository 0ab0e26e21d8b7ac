"""Sections of any size for the page: scores drawn from a seed, own and published lines, holes, evidence."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from xner_bench.catalogue import Catalogue, load
from xner_bench.leaderboard import board, legend
from xner_bench.leaderboard.cells import Stat, stat
from xner_bench.leaderboard.evidence_types import Comparison, Evidence
from xner_bench.leaderboard.groups import groups
from xner_bench.leaderboard.lines import Line, Mean, Row, Section
from xner_bench.leaderboard.papers import published_lines
from xner_bench.results import EncoderRecord, Run
from xner_bench.score import Counts
from xner_bench.settings import RunSettings, Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xner_bench.cards import Suite

PROFILE = "word-strict"
PROTOCOLS = ("last", "source-dev", "oracle")
ENCODERS = ("xlm-roberta-base", "bert-base-multilingual-cased")
SEEDS = (42, 43, 44)
GOLD = 400  # entities of a test split


@cache
def known() -> Catalogue:
    return load()


def section(
    entries: int, *, evidence: bool = True, holes: float = 0.1, protocols: tuple[str, ...] = PROTOCOLS
) -> Section:
    """A section of slicer-en with so many own entries, and the paper's rows in the profile that they were scored in.

    `holes` is the share of scores that every fifth entry lacks.
    """
    suite = known().suite("slicer-en")
    bare = Section(
        suite=suite,
        source=suite.source,
        trained=f"trained on {suite.source}",
        groups=groups(suite.targets, suite.source, lambda dataset: legend.title(known(), dataset)),
        protocols=protocols,
        corpora=(suite.source, *(target for target in suite.targets if target != suite.source)),
        lines=(),
        notices=(),
        unranked={"diverged": 1},
        differing=(),
    )
    draw = random.Random(entries)
    level = {corpus: draw.uniform(15, 90) for corpus in bare.corpora}
    lines = [_line(bare, at, level, holes, draw) for at in range(entries)]
    made = board.ranked(bare, [*lines, *published_lines(bare)])
    return replace(made, evidence=_evidence(made) if evidence else None)


def _line(made: Section, at: int, level: Mapping[str, float], holes: float, draw: random.Random) -> Line:
    gain = draw.gauss(0, 2) if at else 0.0
    own = {corpus: value + gain + (draw.gauss(0, 1.5) if at else 0) for corpus, value in level.items()}
    rows = {
        (corpus, protocol): _row(own[corpus], draw)
        if at % 5 != 4 or draw.random() >= holes
        else Row(None, reason="no test split")
        for corpus in made.corpora
        for protocol in made.protocols
    }
    run = record(made.suite, at)
    return Line(
        label=f"slicer h={at}" if at else "standard",
        method=run.settings.method,
        options=run.settings.options,
        encoder=run.encoder.name,
        training=run.settings.training.model_dump(),
        profile=PROFILE,
        rows=rows,
        means={
            (group.name, protocol): _mean(rows, group.corpora, protocol, draw)
            for group in made.groups
            for protocol in made.protocols
        },
        departures="epochs 3" if at % 3 == 1 else "",
        entry_id=run.entry_id,
        run_ids=tuple(f"{run.entry_id}-s{seed}" for seed in SEEDS),
        runs=tuple(_of_seed(run, seed) for seed in SEEDS),
        n_seeds=len(SEEDS),
        types=run.settings.types,
        seeds={place: dict.fromkeys(SEEDS, row.f1.mean) for place, row in rows.items() if row.f1},
    )


def _row(level: float, draw: random.Random) -> Row:
    found = [min(98.0, max(0.5, level + draw.gauss(0, 1))) for _ in SEEDS]
    right = int(GOLD * len(SEEDS) * stat(found).mean / 100)  # type: ignore[union-attr]
    missed = GOLD * len(SEEDS) - right
    return Row(stat(found), stat(found), Counts(right, missed, missed))


def _mean(rows: Mapping[Any, Row], corpora: tuple[str, ...], protocol: str, draw: random.Random) -> Mean:
    found = [f1.mean for corpus in corpora if (f1 := rows[corpus, protocol].f1)]
    whole = len(found) == len(corpora)
    return Mean(Stat(sum(found) / len(found), draw.uniform(0.1, 1), 3) if whole else None, len(found), len(corpora))


def record(suite: Suite, at: int) -> Run:
    """The record of a run that nobody made."""
    training = {name: value for name, value in suite.training.items() if name != "seed"}
    settings = RunSettings(
        suite=suite.name,
        method="slicer" if at else "standard",
        options={"h": at, "classifier": "trained", "bias": "per_slice"} if at else {},
        encoder=ENCODERS[at % 7 == 6],
        source=suite.source,
        targets=suite.targets,
        types=suite.types,
        training=Training(**{**training, "epochs": 3 if at % 3 == 1 else 10}),
        seed=SEEDS[0],
        profiles=suite.profiles,
        true_protocol=suite.true_protocol,
    )
    encoder = EncoderRecord(name=settings.encoder, revision=None, fingerprint="e" * 64, parameters=7)
    return Run(
        run_id=f"run-{at}",
        entry_id=f"entry-{at}",
        state="done",
        settings=settings,
        method_origin="built in",
        encoder=encoder,
        data=(),
        provenance={},
        seconds={"training": 100.0 + at, "test": 20.0},
    )


def _of_seed(run: Run, seed: int) -> Run:
    return run.model_copy(update={"settings": run.settings.model_copy(update={"seed": seed})})


def _evidence(made: Section) -> Evidence:
    """Each entry against `standard`: two points either way in a language, one in a group; ranks alike."""
    own = [line for line in made.lines if not line.published]
    standard = next((line for line in own if line.method == "standard"), own[0])
    places = [(group.name, True) for group in made.groups] + [(corpus, False) for corpus in made.corpora]
    every = [(at, is_group, protocol) for at, is_group in places for protocol in made.protocols]
    ties = {(PROFILE, protocol, at): _ranks(own, at, is_group, protocol) for at, is_group, protocol in every}
    return Evidence(
        comparisons=tuple(
            one for line in own if line is not standard for where in every if (one := _against(line, standard, *where))
        ),
        baseline={PROFILE: str(standard.entry_id)},
        best={place: next(iter(ranks)) for place, ranks in ties.items() if ranks},
        ties=ties,
        smallest={corpus: 1.0 + at / 10 for at, corpus in enumerate(made.corpora)},
        draws=10_000,
    )


def _score(line: Line, at: str, is_group: bool, protocol: str) -> float | None:
    found = (line.means if is_group else line.rows).get((at, protocol))
    return found.f1.mean if found and found.f1 else None


def _ranks(own: list[Line], at: str, is_group: bool, protocol: str) -> dict[str, int]:
    scores = {str(line.entry_id): score for line in own if (score := _score(line, at, is_group, protocol)) is not None}
    reach, falling = 1 if is_group else 2, sorted(scores, key=lambda entry: -scores[entry])
    rising = sorted(scores.values())
    return {entry: 1 + len(rising) - bisect_right(rising, scores[entry] + reach) for entry in falling}


def _against(line: Line, standard: Line, at: str, is_group: bool, protocol: str) -> Comparison | None:
    scores = [_score(one, at, is_group, protocol) for one in (line, standard)]
    if None in scores:
        return None
    gain, reach = scores[0] - scores[1], 1 if is_group else 2  # type: ignore[operator]
    supported = abs(gain) > reach
    ends = gain - reach, gain + reach
    p = 0.0004 if supported else 0.25
    names = str(line.entry_id), str(standard.entry_id)
    return Comparison(*names, PROFILE, protocol, at, is_group, *scores, gain, *ends, p, p, len(SEEDS), supported)
