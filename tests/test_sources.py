"""Several sources at once, and each language on itself: what is trained on, what it is selected by, who hears of it."""

from __future__ import annotations

import itertools
import json
import math
import shlex
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import small as worlds
import torch
from errands import Recorded
from hypothesis import given
from hypothesis import strategies as st
from small import Small, call

from xner_bench import api, batches, building, catalogue, compare, each, grid, gridfile, plan, protocol, stages
from xner_bench.cli.again import Where, command
from xner_bench.errors import XnerError
from xner_bench.grid import Grid
from xner_bench.identity import identity
from xner_bench.pick import Listed
from xner_bench.pick import read as filters
from xner_bench.results import Store
from xner_bench.run import objective, run
from xner_bench.settings import Execution
from xner_bench.settle import settle
from xner_bench.sources import brief, joined, parts, trained
from xner_bench.watch import SILENT
from xner_bench.work import Stop

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.catalogue import Catalogue
    from xner_bench.results import Run
    from xner_bench.settings import RunSettings

KNOWN = catalogue.load()
JOINT = "villages:en+villages:sw"
# A data set with another type, and one that calls its types otherwise.
HAMLETS = worlds.CARD.replace("villages", "hamlets").replace("[PER, LOC, DATE]", "[PER, DATE]")
TOWNS = worlds.CARD.replace("villages", "towns").replace("[PER, LOC, DATE]", "[PER, GPE, DATE]")
TOWNS = TOWNS.replace("{DATE: O}", "{DATE: O, GPE: LOC}")
ALL_ON_ITSELF = worlds.SUITE.replace("name: small", "name: mono").replace("source: villages:en", "source: each")
TOGETHER = worlds.SUITE.replace("name: small", "name: joint").replace(
    "source: villages:en", "source: [villages:sw, villages:en]"
)
names = st.lists(st.sampled_from(["wikiann:en", "wikiann:de", "masakhaner:hau", "mini-wikiann:zh"]), min_size=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small world with training data in two languages, and a third one that is both of them end to end."""
    small = worlds.build(tmp_path_factory.mktemp("small"))
    card = worlds.CARD + "  qq: {iso639_3: qqq, name: Both, script: Latn, family: none}\n"
    for name, text in {
        "villages.yaml": card,
        "hamlets.yaml": HAMLETS,
        "towns.yaml": TOWNS,
        "suites/mono.yaml": ALL_ON_ITSELF,
        "suites/joint.yaml": TOGETHER,
    }.items():
        (small.catalogue / name).write_text(text, "utf-8")
    two = {code: worlds.corpus(code, "train", size) for code, size in (("en", 64), ("sw", 40))}
    worlds.write_split(small.data, "sw", "train", two["sw"])
    worlds.write_split(small.data, "qq", "train", [*two["en"], *two["sw"]])
    for split in ("dev", "test"):
        worlds.write_split(small.data, "qq", split, worlds.corpus("sw", split, 16))
    return small


@pytest.fixture(scope="module")
def known(small: Small) -> Catalogue:
    return catalogue.load([small.catalogue])


@pytest.fixture(scope="module")
def done(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Run]:
    """A finished joint run; read only."""
    results = tmp_path_factory.mktemp("done")
    return Store(results), run(small.settings(source="en,sw"), small.execution(results))


def complaint(known: Catalogue, *args: Any, **given: Any) -> str:
    with pytest.raises(XnerError) as caught:
        settle(known, *args, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def losses(store: Store, done: Run) -> list[float]:
    rows = store.table(done.run_id, "history").to_pylist()
    return [row["value"] for row in rows if row["name"] == "loss"]


# What a source is called.


@given(names)
def test_a_source_is_the_same_in_whatever_order_it_is_said(some: list[str]) -> None:
    assert joined(some) == joined(reversed(some))
    assert set(parts(joined(some))) == set(some)
    assert list(parts(joined(some))) == sorted(set(some))


def test_many_sources_are_counted() -> None:
    assert brief("wikiann:en") == "wikiann:en"
    assert trained("wikiann:de+wikiann:en") == "trained on wikiann:de+wikiann:en"
    many = joined([*(f"wikiann:{code}" for code in "abcd"), "masakhaner:hau"])
    assert brief(many, str.upper) == "4 languages of WIKIANN and 1 of MASAKHANER"
    assert trained(joined(f"wikiann:{code}" for code in "abcd"), str.upper) == "trained on 4 languages of WIKIANN"
    assert trained("each") == "each language on itself"


# From what is asked for to settings.


def test_the_ids_of_runs_with_one_source_are_what_they_were() -> None:
    settings = settle(KNOWN, "quick", "slicer", options={"h": 8})
    assert plan.make(settings, Execution(device="cpu"), SILENT).run_id == "slicer-quick-s42-bebdaadec135"


def test_sources_are_part_of_the_id_and_their_order_is_not(known: Catalogue) -> None:
    one, both, turned = (settle(known, "small", source=text) for text in ("en", "villages:en+sw", "sw, en"))
    assert (both.source, both.sources, both.corpora) == (
        JOINT,
        ("villages:en", "villages:sw"),
        ("villages:en", "villages:sw", "villages:no"),
    )
    assert both == turned == settle(known, "joint").model_copy(update={"suite": "small"})
    assert both.model_validate({**both.model_dump(), "source": "villages:sw+villages:en"}) == both
    ids = {identity(settings, "built in", "e", {}).run_id for settings in (one, both, turned)}
    assert len(ids) == 2


def test_sources_of_several_data_sets_need_the_same_types(known: Catalogue) -> None:
    settings = settle(known, "small", source="villages:en,towns:sw")
    assert settings.harmonize == {"villages": {"DATE": "O"}, "towns": {"DATE": "O", "GPE": "LOC"}}
    said = complaint(known, "small", source="villages:en,hamlets:sw")
    assert "source hamlets:sw has the types PER, and suite 'small' trains on PER, LOC" in said
    assert "masakhaner:hau has the types PER, ORG, LOC, and" in complaint(known, "small", source="en+masakhaner:hau")


def test_suites_have_several_sources_or_each(known: Catalogue) -> None:
    assert known.suite("joint").source == JOINT
    assert known.suite("joint").sources == ("villages:en", "villages:sw")
    assert known.suite("mono").sources == known.suite("mono").targets
    assert "source each is a run for every target of suite 'mono'" in complaint(known, "mono")
    assert settle(known, "mono", source="sw").source == "villages:sw"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[]", "7: source: a language, a list of languages"),
        ("5", "7: source: a language, a list of languages"),
        ("[villages:en, 5]", "7: source: a language, a list of languages"),
        ("[villages:en, villages:en]", "7: source: the source 'villages:en' stands twice"),
        ("[villages:en, each]", "7: source: each is every target on itself, and stands alone"),
        ("[villages:en, villages:nn]", "7: source: no language of villages is called 'nn'; did you mean"),
        ("[villages:en, hamlets:en]", "9: types.1: the source, hamlets, has no type LOC; it has: PER, O"),
    ],
)
def test_a_suites_wrong_source_is_refused_at_its_line(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "suites").mkdir()
    path = tmp_path / "suites" / "small.yaml"
    path.write_text(worlds.SUITE.replace("source: villages:en", f"source: {source}"))
    (tmp_path / "villages.yaml").write_text(worlds.CARD)
    (tmp_path / "hamlets.yaml").write_text(HAMLETS)
    with pytest.raises(XnerError) as caught:
        catalogue.load([tmp_path]).suite("small")
    assert str(caught.value).startswith(f"{path}:{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("en+", "has an empty place"),
        ("en,,sw", "has an empty place"),
        ("each,en", "has each among languages"),
        ("each", "name a language, or do all of them with `xner-bench run --source each`"),
        ("en+swe", "'swe'"),
    ],
)
def test_what_is_no_source_is_one_line(known: Catalogue, source: str, part: str) -> None:
    assert part in complaint(known, "small", source=source)


def test_from_python_several_sources_are_a_list(small: Small) -> None:
    settings = api.set_up("small", source=["sw", "villages:en"], catalogue=[small.catalogue])
    assert settings.source == JOINT


# Many runs.


def test_commas_join_sources_and_several_flags_are_several_runs(small: Small, known: Catalogue, tmp_path: Path) -> None:
    argv = small.argv(tmp_path, "--dry-run", "--as-yaml")
    said = call(*argv, "--source", "en,sw", "--source", "no+sw", "--source", "en").out
    assert "\nsource: [en+sw, no+sw, en]\n" in said
    (path := tmp_path / "grid.yaml").write_text(said)
    assert call(*argv, "--grid", path).out == said
    found = grid.expand(known, gridfile.find(known, str(path)))
    assert [one.source for one in found] == [JOINT, "villages:no+villages:sw", "villages:en"]


def pairs(every: list[RunSettings]) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.source, one.targets) for one in every]


def test_each_is_a_run_for_every_target_that_can_be_trained_on(known: Catalogue, small: Small, tmp_path: Path) -> None:
    asked, watch = Grid(suite=("small",), method=("standard",), source=("each",), seed=(1, 2)), Recorded()
    found = grid.expand(known, asked, small.execution(tmp_path), watch)
    two = [(name, (name,)) for name in ("villages:en", "villages:sw")]
    assert pairs(found) == [pair for pair in two for _ in (1, 2)]
    assert [event[1] for event in watch.events] == ["source each: left out, as they have no train split: villages:no"]
    of_suite = asked.model_copy(update={"suite": ("mono",), "source": ()})
    assert pairs(grid.expand(known, of_suite, small.execution(tmp_path))) == pairs(found)
    some = asked.model_copy(update={"targets": ("sw", "villages:sw"), "source": ("each", "en")})
    both = grid.expand(known, some, small.execution(tmp_path))
    assert set(pairs(both)) == {two[1], ("villages:en", ("villages:sw",))}


def test_each_looks_for_data_where_a_card_counts_none(known: Catalogue, small: Small, tmp_path: Path) -> None:
    targets = ("villages:en", "villages:sw", "villages:no")
    here, nowhere = small.execution(tmp_path), small.execution(tmp_path, data_root=tmp_path)
    assert each.languages(known, targets) == list(targets), "where the data may lie elsewhere"
    assert each.languages(known, targets, here) == ["villages:en", "villages:sw"]
    assert each.languages(known, targets, nowhere) == ["villages:en"], "its card counts sentences: they are missed"
    lenient = nowhere.model_copy(update={"allow_missing": True})
    with pytest.raises(XnerError, match=r"none of 3 targets has a train split here \(villages:en, .* --data-root"):
        each.languages(known, targets, lenient)
    assert each.languages(KNOWN, ("mini-wikiann:de",), lenient) == ["mini-wikiann:de"], "the package has it"


# Training.


def test_a_joint_epoch_sees_the_windows_of_all_sources_once(small: Small, tmp_path: Path) -> None:
    ready = plan.make(small.settings(source="en,sw"), small.execution(tmp_path), SILENT)
    work = stages.prepare(ready, Store(tmp_path), SILENT)
    own = [work.encoded[plan.Part(name, "train")] for name in ready.settings.sources]
    windows = sorted(one.ids[a:b].tolist() for one in own for a, b in itertools.pairwise(one.windows))
    together = building.training(ready, work.encoded)
    drawn = batches.shuffled(together, 16, torch.Generator().manual_seed(1), False, 4096, 1.0)
    words = [word for parts in drawn for part in parts for word in part.word.tolist()]
    assert sorted(words) == list(range(sum(one.n_words for one in own)))
    assert sorted(together.ids[a:b].tolist() for a, b in itertools.pairwise(together.windows)) == windows


def test_joint_training_is_training_on_one_file_with_all_sentences(
    small: Small, done: tuple[Store, Run], tmp_path: Path
) -> None:
    store, joint = done
    targets = ["villages:en", "villages:sw", "villages:no"]
    one = run(small.settings(source="villages:qq", targets=targets), small.execution(tmp_path))
    assert losses(store, joint) == losses(Store(tmp_path), one)
    for name in targets:
        assert predicted(store, joint, name) == predicted(Store(tmp_path), one, name)


def predicted(store: Store, done: Run, corpus: str) -> list[dict[str, Any]]:
    """The entities that the last checkpoint predicts."""
    last = store.selection(done.run_id)["selection"]["last"][corpus]
    rows = store.table(done.run_id, "predictions").to_pylist()
    return [row for row in rows if f"{row['dataset']}:{row['language']}" == corpus and row["checkpoint"] == last]


def test_a_joint_run_says_what_it_read_and_scored(small: Small, done: tuple[Store, Run]) -> None:
    store, joint = done
    assert joint.settings.source == JOINT
    read = {(one.corpus, one.split): one.sentences for one in joint.data}
    assert (read["villages:en", "train"], read["villages:sw", "train"]) == (64, 40)
    table = pq.read_table(store.folder(joint.run_id) / "scores.parquet").to_pylist()
    assert {row["language"] for row in table} == {"en", "sw", "no"}
    assert call("results", "check", "--results", store.root).status == 0
    said = call("runs", "--results", store.root, "show", joint.run_id, "--catalogue", small.catalogue).out
    assert "sources:   2: villages:en villages:sw\n" in said
    assert "Villages, invented without the sources" in said


def test_the_sources_dev_is_the_mean_of_theirs(small: Small, done: tuple[Store, Run], tmp_path: Path) -> None:
    store, joint = done
    record = store.selection(joint.run_id)
    means = {epoch: math.fsum(scores[name] for name in parts(JOINT)) / 2 for epoch, scores in record["dev"].items()}
    best = min(means, key=lambda epoch: (-means[epoch], epoch))
    assert set(record["selection"]["source-dev"].values()) == {best}
    assert objective(store, joint) == means[4]
    told: list[float | None] = []
    run(small.settings(source="en,sw"), small.execution(tmp_path), after_epoch=lambda _, f1, __: told.append(f1))
    assert told == list(means.values())


scores = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 0.0, 0.3, 0.7, 1.0]))


@given(st.dictionaries(st.integers(1, 6), scores, min_size=1), st.sets(st.sampled_from("abcd"), min_size=1))
def test_the_best_epoch_has_the_highest_mean_of_those_that_are_scored(
    dev: dict[int, dict[str, float | None]], wanted: set[str]
) -> None:
    def mean(found: dict[str, float | None]) -> float | None:
        values = [found[name] for name in sorted(wanted) if name in found]
        return None if not values or None in values else math.fsum(map(float, filter(None, values))) / len(values)

    means = {epoch: mean(found) for epoch, found in dev.items()}
    known = {epoch: value for epoch, value in means.items() if value is not None}
    best = min(known, key=lambda epoch: (-known[epoch], epoch)) if known else None
    assert protocol.best_epoch(dev, joined(wanted)) == best


def test_a_source_without_dev_is_left_out_of_the_mean(small: Small, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(small.folder, tmp_path / "world")
    own, watch = Small(tmp_path / "world"), Recorded()
    (own.data / "villages" / "sw" / "dev.conll").unlink()
    where = own.execution(tmp_path / "results", allow_missing=True)
    done = run(own.settings(source="en,sw", epochs=2), where, watch)
    assert "going on without villages:sw dev" in [event[1] for event in watch.events if event[0] == "note"]
    record = Store(tmp_path / "results").selection(done.run_id)
    best = max(record["dev"], key=lambda epoch: record["dev"][epoch]["villages:en"])
    assert set(record["selection"]["source-dev"].values()) == {best}
    (own.data / "villages" / "sw" / "train.conll").unlink()
    with pytest.raises(XnerError, match="nothing to train on: villages:sw has no train split"):
        run(own.settings(source="en,sw"), where)


def test_a_joint_run_that_was_stopped_goes_on_to_the_same_bits(
    small: Small, done: tuple[Store, Run], tmp_path: Path
) -> None:
    settings, where = small.settings(source="en,sw"), small.execution(tmp_path)

    def stop(epoch: int, f1: float | None, further: bool) -> None:
        if epoch == 2:
            raise Stop("enough")

    assert run(settings, where, after_epoch=stop).state == "stopped"
    again = run(settings, where)
    assert (again.state, len(again.resumed)) == ("done", 1)
    assert again.run_id == done[1].run_id
    assert losses(Store(tmp_path), again) == losses(*done)


# Who hears of it.


def otherwise(done: Run, **changes: Any) -> Run:
    return done.model_copy(update={"settings": done.settings.model_copy(update=changes)})


def test_runs_are_picked_by_their_sources(done: tuple[Store, Run]) -> None:
    joint = done[1]
    alone = otherwise(joint, source="villages:en", targets=("villages:en",))
    both = [Listed(joint, "done"), Listed(alone, "done")]
    for text, number in {"en": 2, "sw": 1, "sw+en": 1, JOINT: 1, "villages:sw": 1, "each": 1, "no": 0}.items():
        (only,) = filters([f"source={text}"], [joint, alone])
        assert sum(only.takes(one) for one in both) == number, text
    (found,) = [one for one in compare.differences(joint, alone) if one.name == "source"]
    assert (found.one, found.other) == (["villages:en", "villages:sw"], "villages:en")


def test_the_command_that_does_a_run_again_makes_the_same_run(
    small: Small, known: Catalogue, done: tuple[Store, Run]
) -> None:
    store, joint = done
    said = shlex.split(command(joint, Where(store.root, (small.catalogue,), known)))
    assert said[said.index("--source") + 1] == JOINT
    answer = call(*said[1:], "--data-root", small.data, "--device", "cpu", "--dry-run")
    assert f"run:      {joint.run_id} (done already)" in answer.out
    own = otherwise(joint, suite="joint")
    assert "--source" not in command(own, Where(store.root, (small.catalogue,), known))


def test_each_language_on_itself_from_the_command_line(small: Small, tmp_path: Path) -> None:
    argv = small.argv(tmp_path, "--source", "each", "--epochs", 1, "--seeds", "1,2")
    answer = call(*argv)
    assert answer.status == 0, answer.err
    assert "runs:    4 done\n" in answer.out
    assert "Suite small, each language on itself\n" in answer.out
    assert answer.out.count("2 of 2") == 1, "all languages and seeds are one entry"
    assert call(*argv).out.count("4 found done") == 1
    shown = call("leaderboard", "show", "--results", tmp_path, "--catalogue", small.catalogue, "--per-language").out
    assert "Small (suite small, each language on itself)" in shown
    assert "2/3" in shown
    assert call("leaderboard", "build", "--results", tmp_path, "--catalogue", small.catalogue).out.endswith(
        f"1 entry from 4 runs; next: xner-bench leaderboard show --results {tmp_path} --catalogue {small.catalogue}\n"
    )


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (("--source", "en,,sw"), "empty place"),
        (("--source", ""), "it is empty"),
        (("--source", "each,en"), "stands alone"),
        (("--source", "villages:en,hamlets:en"), "has the types PER, and"),
        (("--source", "each", "--targets", "no"), "none of 1 targets has a train split here (villages:no)"),
        (("--source", "no,sw"), "nothing to train on: villages:no has no train split"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line(small: Small, tmp_path: Path, flags: tuple[str, ...], part: str) -> None:
    answer = call(*small.argv(tmp_path, *flags))
    assert answer.status == 2
    assert part in answer.err
    assert answer.err.strip().splitlines()[-1].count(part) == 1


def test_a_search_has_one_source_which_may_be_several_at_once(small: Small, tmp_path: Path) -> None:
    argv = ["search", *small.argv(tmp_path)[1:], "--trials", "1", "--epochs", "1", "--lr", "1e-2,2e-2"]
    said = call(*argv, "--source", "en", "--source", "sw")
    assert "a search has one source, not en, sw" in said.err
    found = call(*argv, "--source", "en,sw")
    assert found.status == 0, found.err
    assert f"on the dev split of {JOINT}" in found.out
    (record,) = (tmp_path / "runs").glob("*/run.json")
    assert json.loads(record.read_text())["settings"]["source"] == JOINT
