"""The leaderboard of several sources at once, and of each language on itself."""

from __future__ import annotations

import io
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from boards import SUITE, Bench
from rich.console import Console

from xner_bench import compare
from xner_bench.cli import tables
from xner_bench.errors import XnerError
from xner_bench.identity import each_id
from xner_bench.leaderboard import board, differences, markdown, published, table
from xner_bench.leaderboard.entries import entries
from xner_bench.leaderboard.gather import gather
from xner_bench.pick import Listed
from xner_bench.pick import read as filters

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.leaderboard.lines import Line, Section
    from xner_bench.results import Run

ALL = ("one:aa", "one:ab", "one:ac", "two:ba", "two:bb")
SLICER = {"h": 8, "classifier": "trained", "bias": "per_slice"}
TRUE = "last"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def sections(bench: Bench) -> dict[str, Section]:
    return {found.source: found for found in board.build(bench.store, bench.catalogue)}


def on_itself(bench: Bench, *corpora: str, method: str = "standard", better: int = 0, **how: Any) -> list[Run]:
    """A run of each of these languages on itself; each scores otherwise."""
    return [
        bench.add(method, source=name, targets=(name,), scores={name: (3 + ALL.index(name) + better, 2, 2)}, **how)
        for name in corpora
    ]


def only(lines: tuple[Line, ...]) -> Line:
    (line,) = lines
    return line


# Several sources at once.


def test_a_joint_source_has_a_section_and_labels_of_its_own(bench: Bench) -> None:
    bench.add()
    bench.add(source="one:ab+one:aa")
    found = sections(bench)
    assert {source: [line.label for line in one.lines] for source, one in found.items()} == {
        "one:aa": ["standard"],
        "one:aa+one:ab": ["standard, from one:aa+one:ab"],
    }
    joint = found["one:aa+one:ab"]
    assert only(joint.lines).departures == "source one:aa+one:ab"
    assert joint.corpora == ALL
    assert {group.name: group.corpora for group in joint.groups} == {
        "One without the sources": ("one:ac",),
        "One with the sources": ("one:aa", "one:ab", "one:ac"),
        "Two": ("two:ba", "two:bb"),
        "Total": ALL,
    }


def test_where_all_targets_are_sources_there_is_one_group_a_data_set(bench: Bench) -> None:
    bench.add(source="+".join(ALL))
    (joint,) = sections(bench).values()
    assert [group.name for group in joint.groups] == ["One", "Two", "Total"]
    assert joint.trained == "trained on 3 languages of One and 2 of Two"
    page = markdown.leaderboard([joint])
    assert "Suite toy, trained on 3 languages of One and 2 of Two. Nobody" in page
    assert "Sources\\: one\\:aa, one\\:ab, one\\:ac, two\\:ba, two\\:bb" in page
    assert "not zero-shot" in page
    assert only(joint.lines).departures == "source 3 languages of one and 2 of two"


def test_a_source_without_dev_is_a_reason_only_where_all_are(bench: Bench) -> None:
    lost = {("one:ac", "source-dev"): None}
    bench.add(source="one:aa+one:ab", scores=lost, missing=(("one:aa", "dev"),))
    (joint,) = sections(bench).values()
    assert only(joint.lines).rows["one:ac", "source-dev"].reason == "not scored"
    bench.add(source="one:aa+one:ab", scores=lost, missing=(("one:aa", "dev"), ("one:ab", "dev")), data="2")
    (joint,) = sections(bench).values()
    reasons = {line.rows["one:ac", "source-dev"].reason for line in joint.lines}
    assert reasons == {"not scored", "no dev split"}


# Each language on itself.


def test_languages_on_themselves_are_one_entry(bench: Bench) -> None:
    runs = [run for seed in (1, 2) for run in on_itself(bench, *ALL, seed=seed)]
    (section,) = sections(bench).values()
    line = only(section.lines)
    assert (section.source, section.trained) == ("each", "each language on itself")
    assert (line.label, line.departures) == ("standard", "source each")
    assert (line.n_seeds, len(line.run_ids)) == (2, 10)
    assert set(line.run_ids) == {run.run_id for run in runs}
    assert {line.entry_id} == {each_id(run) for run in runs}
    assert {corpus for corpus, _ in line.rows} == set(ALL)
    assert [group.name for group in section.groups] == ["One", "Two", "Total"]
    own = {name: line.rows[name, TRUE].f1 for name in ALL}
    assert all(found is not None and found.n == 2 for found in own.values())
    total = line.total(TRUE)
    assert total is not None
    assert total.mean == pytest.approx(statistics.fmean(found.mean for found in own.values() if found))
    assert set(line.seeds["Total", TRUE]) == {1, 2}


def test_a_mean_needs_all_languages_in_all_seeds(bench: Bench) -> None:
    on_itself(bench, *ALL[:4], seed=1)
    (section,) = sections(bench).values()
    line = only(section.lines)
    mean = line.means["Total", TRUE]
    assert (mean.f1, mean.scored, mean.size) == (None, 4, 5)
    assert line.means["One", TRUE].f1 is not None
    assert ("two:bb", TRUE) not in line.rows
    assert line.departures == "source each, 4 of 5 targets"
    on_itself(bench, "one:aa", "two:bb", seed=2)
    (section,) = sections(bench).values()
    line = only(section.lines)
    assert line.rows["two:bb", TRUE].reason == "not run in 1 of 2 seeds"
    assert line.rows["one:aa", TRUE].f1 is not None
    assert line.means["Total", TRUE].scored == 1


def test_runs_on_themselves_are_apart_from_those_of_a_source(bench: Bench) -> None:
    bench.add()  # from one:aa to all
    bench.add(targets=("one:aa", "one:ab"))
    on_itself(bench, "one:aa", "one:ab")
    found = sections(bench)
    assert {source: len(one.lines) for source, one in found.items()} == {"one:aa": 2, "each": 1}
    assert only(found["each"].lines).label == "standard, each language on itself"


def test_set_ups_on_themselves_are_compared_like_all_others(bench: Bench) -> None:
    for seed in (1, 2):
        on_itself(bench, *ALL, seed=seed)
        on_itself(bench, *ALL, seed=seed, method="slicer", options=SLICER, better=2)
    on_itself(bench, *ALL, seed=1, training={"lr": 3e-5})
    (section,) = sections(bench).values()
    assert {line.label for line in section.lines} == {"slicer h=8", "standard, lr 1e-5", "standard, lr 3e-5"}
    (pair,) = differences.pairs(section, "word-strict")
    found = pair.difference("Total", TRUE)
    assert found is not None
    assert found.n == 2
    assert found.mean > 0


def test_a_language_on_two_versions_of_its_data_is_a_second_entry(bench: Bench) -> None:
    on_itself(bench, *ALL)
    on_itself(bench, "one:ab", data="2")
    (section,) = sections(bench).values()
    complete = [line for line in section.lines if line.total(TRUE)]
    assert len(complete) == 1
    assert len(section.lines) == 2
    assert len({line.entry_id for line in section.lines}) == 2
    assert len({line.label for line in section.lines}) == 2
    assert section.differing == ("one:ab test",)


def test_languages_that_changed_together_stay_together(bench: Bench) -> None:
    """Whatever the hashes say: of each language the run that was begun last is in the first entry."""
    batches = [on_itself(bench, *ALL, data=data, began=f"2026-01-0{day}") for day, data in enumerate("xy34", start=1)]
    found = gather([run for batch in batches for run in batch], bench.catalogue.suite("toy"))
    name = each_id(batches[0][0])
    assert {entry: {run.run_id for run in only(seeds)} for entry, seeds in found.items()} == {
        f"{name}-{at}" if at else name: {run.run_id for run in batch} for at, batch in enumerate(reversed(batches))
    }


def test_a_seed_that_comes_twice_is_an_error_here_too(bench: Bench) -> None:
    (run,) = on_itself(bench, "one:aa")
    with pytest.raises(XnerError, match="one set-up with one seed, 42"):
        entries([run, run.model_copy(update={"run_id": "twin"})], bench.catalogue.suite("toy"))


def test_a_suite_may_be_of_each(bench: Bench) -> None:
    (bench.cards / "suites" / "toy.yaml").write_text(SUITE.replace("source: one:aa", "source: each"))
    bench.reload()
    on_itself(bench, *ALL)
    (section,) = sections(bench).values()
    assert only(section.lines).departures == ""
    page = markdown.per_language([section], bench.catalogue)
    assert "Suite toy, each language on itself" in page
    console = Console(file=io.StringIO(), width=200)
    tables.board(console, [section], bench.catalogue, per_language=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Toy suite (suite toy, each language on itself)" in text
    assert "TRUE zero-shot" not in text
    assert {row["source"] for row in table.means([section]).to_pylist()} == {"each"}


def test_what_the_suite_lets_follow_from_the_language_makes_no_other_entry(bench: Bench) -> None:
    (bench.cards / "suites" / "toy.yaml").write_text(
        SUITE.replace("source: one:aa", "source: each") + "each:\n  one:aa: {batch_size: 4}\n"
    )
    bench.reload()
    usual = bench.catalogue.suite("toy").training["batch_size"]
    small = on_itself(bench, "one:aa", training={"batch_size": 4}, elsewhere={"batch_size": usual})
    others = on_itself(bench, *ALL[1:])
    (section,) = sections(bench).values()
    line = only(section.lines)
    assert line.total(TRUE) is not None
    assert line.departures == ""
    assert {each_id(run) for run in (*small, *others)} == {line.entry_id}
    on_itself(bench, "one:aa", training={"batch_size": 8}, data="2")  # what somebody chose does
    (section,) = sections(bench).values()
    assert len(section.lines) == 2


def test_the_runs_of_an_entry_are_found_by_its_id(bench: Bench) -> None:
    runs = [*on_itself(bench, *ALL), bench.add()]
    assert compare.alike(runs[0], runs[1]) == "One entry of the leaderboard: each language on itself."
    assert compare.alike(runs[0], runs[-1]) == "Two entries of the leaderboard."
    (one,) = filters([f"entry={sections(bench)['each'].lines[0].entry_id}"], runs)
    assert [one.takes(Listed(run, "done")) for run in runs] == [True] * 5 + [False]


HEADER = "method,options,learning_rate,encoder,source,dataset,language,languages,with_source,protocol,profile,f1_mean,"
HEADER += "f1_std,seeds,where,note\n"
PRINTED = "standard,,1e-5,mini,{source},one,aa,1,,true,word-strict,80.0,1.0,3,table 1,\n"
PRINTED += "standard,,1e-5,mini,{source},,,5,true,true,word-strict,70.0,1.0,3,table 1,\n"


@pytest.mark.parametrize("source", ["one:aa+one:ab", "each"])
def test_published_numbers_are_of_their_source(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    (tmp_path / "toy.csv").write_text(HEADER + PRINTED.format(source=source))
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    bench.add()
    bench.add(source="one:aa+one:ab")
    on_itself(bench, *ALL)
    for name, section in sections(bench).items():
        printed = [line for line in section.lines if line.published]
        assert len(printed) == (name == source)
        for line in printed:
            assert {corpus for corpus, _ in line.rows} == {"one:aa"}
            assert line.means["Total", TRUE].f1 is not None
