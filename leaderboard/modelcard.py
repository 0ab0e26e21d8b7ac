"""The card of a tagger that somebody may want: README.md for a kept checkpoint, with its scores as `model-index`.

The scores are those of the protocol that the checkpoint answers, the suite's TRUE one: other protocols are answered by
other epochs of the run, which are not kept.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.cli import again
from xner_bench.leaderboard import hubcard, legend, public
from xner_bench.leaderboard.cells import percent_text, plain, setting
from xner_bench.leaderboard.datacard import fenced, link
from xner_bench.leaderboard.entries import own_label
from xner_bench.leaderboard.markdown import escape, grid
from xner_bench.leaderboard.scores import Scored, read
from xner_bench.measure import of_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from xner_bench.catalogue import Catalogue
    from xner_bench.results import Run

# As the hub states them; of any other encoder nobody here knows.
LICENCES = {
    "mini": "apache-2.0",
    "FacebookAI/xlm-roberta-base": "mit",
    "xlm-roberta-base": "mit",
    "bert-base-multilingual-cased": "apache-2.0",
    "google-bert/bert-base-multilingual-cased": "apache-2.0",
}
USE = """\
from transformers import pipeline

tag = pipeline("token-classification", model="DIR", aggregation_strategy="first")
tag(["Angela", "Merkel", "visited", "Nairobi", "."], is_split_into_words=True, delimiter=" ")"""
_COMMIT = re.compile(r"hub:([^@]+)@([0-9a-f]{40})/")


class Tested(NamedTuple):
    """What the tagger scores on one test split under one profile."""

    corpus: str
    profile: str
    scored: Scored


def card(run: Run, scores: pa.Table, answers: str, catalogue: Catalogue) -> str:
    """The card as Markdown. `answers` is the protocol that the kept checkpoint answers."""
    shown = public.of_run(run)
    tested = list(_tested(shown, scores, answers))
    parts = [
        *_head(shown, catalogue),
        *_use(),
        *_scores(shown, tested, answers, catalogue),
        *_training(shown, catalogue),
        *_data(shown, catalogue),
        *_limits(shown),
    ]
    return front(shown, tested, answers, catalogue) + "\n\n".join(filter(None, parts)) + "\n"


def front(run: Run, tested: list[Tested], answers: str, catalogue: Catalogue) -> str:
    """The hub's metadata."""
    import yaml

    found: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "token-classification",
        "license": "unknown",  # of what was trained on these data; the base's is told below
        "language": hubcard.languages(run.settings.corpora, catalogue),
        "tags": ["cross-lingual", "named-entity-recognition", "token-classification", "xner-bench"],
        "metrics": sorted({_metric(one.profile) for one in tested}),
        "model-index": [{"name": run.run_id, "results": [_result(run, one, answers, catalogue) for one in tested]}],
    }
    if run.encoder.revision is not None:  # else it is no repository of the hub
        found["base_model"] = run.encoder.name
    if datasets := sorted(filter(None, {_repository(corpus, catalogue) for corpus in run.settings.sources})):
        found["datasets"] = datasets
    return f"---\n{yaml.safe_dump(found, sort_keys=True, allow_unicode=True, width=120)}---\n\n"


def _tested(run: Run, scores: pa.Table, answers: str) -> Iterator[Tested]:
    found = read(run, scores)
    for profile in run.settings.profiles:
        for corpus in run.settings.corpora:
            for cell, scored in found.items():
                if cell == (corpus, answers, profile) and scored.f1 is not None:
                    yield Tested(corpus, profile, scored)


def _result(run: Run, one: Tested, answers: str, catalogue: Catalogue) -> dict[str, Any]:
    dataset, _, code = one.corpus.partition(":")
    where = {
        "name": f"{legend.title(catalogue, dataset)}, {legend.language_name(catalogue, one.corpus)}",
        "type": _repository(one.corpus, catalogue) or dataset,
        "config": code,
        "split": "test",
    }
    if commit := _commit(run, one.corpus):
        where["revision"] = commit
    seen = one.corpus in run.settings.sources
    told = f"{legend.metric(one.profile)}, {'trained on' if seen else _true(run, answers)}, {one.profile}"
    shares = {_metric(one.profile): _share(one.scored.f1)}
    if not of_tags(one.profile):
        shares |= {"precision": one.scored.counts.precision, "recall": one.scored.counts.recall}
    names = {_metric(one.profile): told, "precision": f"precision, {one.profile}", "recall": f"recall, {one.profile}"}
    metrics = [
        {"type": kind, "name": names[kind], "value": round(share, 6)}
        for kind, share in shares.items()
        if share is not None
    ]
    return {
        "task": {"type": "token-classification", "name": "Named entity recognition"},
        "dataset": where,
        "metrics": metrics,
    }


def _share(score: float | None) -> float | None:
    return None if score is None else score / 100


def _metric(profile: str) -> str:
    return "accuracy" if of_tags(profile) else "f1"


def _true(run: Run, answers: str) -> str:
    return f"{legend.true_text(run.settings.source, run.settings.targets)} ({answers})"


def _head(run: Run, catalogue: Catalogue) -> Iterator[str]:
    settings = run.settings
    yield f"# {escape(own_label(settings))}, {escape(run.encoder.name)}, {escape(settings.suite)}, seed {settings.seed}"
    yield from (f"> **{escape(notice)}**" for notice in _notices(run, catalogue))
    yield (
        f"Named entity recognition: the encoder {escape(run.encoder.name)}, fine-tuned with the method "
        f"{escape(settings.method)} on {escape(', '.join(settings.sources))}, tags "
        f"{escape(', '.join(settings.types))}. Made and tested by xner-bench; run.json says all of it."
    )


def _notices(run: Run, catalogue: Catalogue) -> list[str]:
    suite = catalogue.suites.get(run.settings.suite)
    cards = (catalogue.cards.get(name) for name in _datasets(run))
    return list(dict.fromkeys(one.notice for one in (suite, *cards) if one and one.notice))


def _datasets(run: Run) -> list[str]:
    return list(dict.fromkeys(corpus.partition(":")[0] for corpus in run.settings.corpora))


def _use() -> Iterator[str]:
    yield "## Use"
    yield fenced(USE, "python")
    yield (
        "DIR is this folder, or its repository. `first` lets a word's first subword decide, as in the scores below. "
        "transformers may still read entities a little otherwise: it puts words together by a rule of its own, and "
        "begins an entity at an I- without its B-, which is nothing in the strict profile."
    )


def _scores(run: Run, tested: list[Tested], answers: str, catalogue: Catalogue) -> Iterator[str]:
    yield "## Scores"
    yield escape(
        f"On test splits, {_true(run, answers)}. No label of a target was seen in training, but for those that are "
        "marked as trained on."
    ) + (
        ""
        if run.settings.zero_shot
        else escape(f" Settings were chosen by labels of {', '.join(run.settings.chosen_on)}.")
    )
    sentences = {one.corpus: one.sentences for one in run.data if one.split == "test"}
    for profile in dict.fromkeys(one.profile for one in tested):
        yield escape(legend.profile_text(profile)) + ":"
        rows = [
            [escape(legend.title(catalogue, one.corpus.partition(":")[0])), *_row(run, one, sentences, catalogue)]
            for one in tested
            if one.profile == profile
        ]
        yield grid(["Data", "Language", "Sentences", legend.metric(profile), "Precision", "Recall"], rows, 2)


def _row(run: Run, one: Tested, sentences: Mapping[str, int], catalogue: Catalogue) -> list[str]:
    counts = one.scored.counts
    shares = (_share(one.scored.f1), counts.precision, counts.recall)
    number = sentences.get(one.corpus)
    marked = ", trained on" if one.corpus in run.settings.sources else ""
    language = escape(legend.language_name(catalogue, one.corpus) + marked)
    return [language, "" if number is None else f"{number:,}", *map(percent_text, shares)]


def _training(run: Run, catalogue: Catalogue) -> Iterator[str]:
    settings, encoder = run.settings, run.encoder
    yield "## Training"
    told = {
        "method": f"{settings.method} ({run.method_origin})",
        **{f"option {name}": value for name, value in sorted(settings.options.items())},
        "encoder": f"{encoder.name}{f' at {encoder.revision}' if encoder.revision else ''}",
        "parameters": f"{encoder.parameters:,}",
        "source": " ".join(settings.sources),
        **settings.training.model_dump(),
        "seed": settings.seed,
    }
    yield grid(["Setting", ""], [[escape(plain(name)), escape(setting(value))] for name, value in told.items()], 2)
    where = again.Where(Path("results"), (), catalogue)
    yield fenced(plain(again.command(run, where)), "sh")


def _data(run: Run, catalogue: Catalogue) -> Iterator[str]:
    yield "## Data and licences"
    known = [one for name in _datasets(run) if (one := catalogue.cards.get(name))]
    rows = [[escape(one.title), escape(one.licence), link(one.homepage)] for one in known]
    yield grid(["Data set", "Licence, as its source states it", "Homepage"], rows, 3)
    yield f"The encoder's licence: {LICENCES.get(run.encoder.name, 'unknown here; see where it is from')}."
    if known:
        yield fenced("\n\n".join(dict.fromkeys(one.cite.strip() for one in known)), "bibtex")


def _limits(run: Run) -> Iterator[str]:
    settings = run.settings
    yield "## Intended use, and limits"
    others = [name for name in settings.targets if name not in settings.sources]
    yield "\n".join(
        (
            "- Made to compare ways of fine-tuning. Whoever wants it for anything else tests it on such data first.",
            f"- Not trained on {len(others)} of the corpora in the table: scores differ much between languages, and "
            "of a language that is not there nothing is known.",
            f"- It knows {escape(', '.join(settings.types))} and nothing else, and makes mistakes: do not decide about "
            "people by its tags alone.",
            "- One seed. The leaderboard has the mean and the spread over several.",
        )
    )


def _repository(corpus: str, catalogue: Catalogue) -> str | None:
    """The hub's repository of a data set, wherever this run read it."""
    known = catalogue.cards.get(corpus.partition(":")[0])
    return known.hub.repo if known and known.hub else None


def _commit(run: Run, corpus: str) -> str | None:
    """The hub's commit that the test split was read at; None where it came from elsewhere."""
    origins = (one.origin for one in run.data if (one.corpus, one.split) == (corpus, "test"))
    found = next((_COMMIT.match(origin) for origin in origins), None)
    return found[2] if found else None
