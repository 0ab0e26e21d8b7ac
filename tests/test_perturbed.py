"""Perturbed test splits of suites: whose mentions go where, in runs and as files, the same for whoever asks."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import small as worlds
from click.testing import CliRunner
from errands import Recorded
from small import Small

from xner_bench import api, catalogue, compare, corpus, grid, gridfile, plan, verify
from xner_bench.cli.again import Where, command
from xner_bench.cli.data import data
from xner_bench.errors import XnerError
from xner_bench.identity import identity
from xner_bench.perturbed import lacking, lenders
from xner_bench.places import MissingSplit
from xner_bench.results import SCORES, Store
from xner_bench.run import run
from xner_bench.settings import RunSettings
from xner_bench.settle import settle
from xner_bench.tags import spans
from xner_bench.watch import SILENT
from xner_bench.writers import conll

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run

KNOWN = catalogue.load()
ALL = ("in-language", "in-script", "in-family")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def done(small: Small, store: Store) -> Run:
    """A run that scored all perturbations; read only."""
    return run(small.settings(perturb=ALL, profiles=("word-lenient",)), small.execution(store.root))


@pytest.fixture
def own(small: Small, tmp_path: Path) -> Small:
    """A copy of the world that a test may change."""
    shutil.copytree(small.folder, tmp_path / "world")
    return Small(tmp_path / "world")


def table(store: Store, run: Run, name: str, split: str) -> set[tuple[Any, ...]]:
    """The rows of a split, without its name."""
    rows = pq.read_table(store.folder(run.run_id) / f"{name}.parquet").to_pylist()
    return {tuple(v for k, v in row.items() if k != "split") for row in rows if row["split"] == split}


def prints(run: Run) -> dict[tuple[str, str], str]:
    return {(one.corpus, one.split): one.fingerprint for one in run.perturbed}


def write(small: Small, name: str, out: Path, *more: object) -> str:
    where = ("--data-root", small.data, "--catalogue", small.catalogue, "--out", out)
    argv = map(str, ("perturb", "--suite", "small", "--perturb", name, *where, *more))
    return CliRunner().invoke(data, list(argv), catch_exceptions=False).output


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("wikiann:ig", "in-language", {"wikiann:ig", "masakhaner:ibo"}),
        ("masakhaner:ibo", "in-language", {"wikiann:ig", "masakhaner:ibo"}),
        ("wikiann:ru", "in-script", {"wikiann:ru", "wikiann:bg"}),
        ("wikiann:am", "in-script", {"wikiann:am", "masakhaner:amh"}),
        ("wikiann:tr", "in-family", {"wikiann:tr"}),
        ("wikiann:ta", "in-family", {"wikiann:ta", "wikiann:te"}),
        ("wikiann:fi", "in-family", {"wikiann:fi"}),  # no target of the suite, and so nobody else's lender
    ],
)
def test_the_suite_says_who_draws_from_whom(key: str, name: Any, expected: set[str]) -> None:
    assert set(lenders(KNOWN, KNOWN.suite("slicer-en"), key, name)) == expected


def test_languages_without_a_family_are_no_family() -> None:
    joint = KNOWN.suite("compression-joint")
    assert KNOWN.language("wikiann:eu")[1].family == "isolate"
    assert lenders(KNOWN, joint, "wikiann:eu", "in-family") == ("wikiann:eu",)


@pytest.mark.parametrize("name", ALL)
def test_a_perturbed_split_scores_like_a_regular_one_that_has_its_sentences(
    small: Small, store: Store, done: Run, name: str, tmp_path: Path
) -> None:
    """The files of `data perturb` in the place of the test splits, everything else being equal."""
    world = tmp_path / "data"
    write(small, name, world)
    for language in ("en", "sw", "no"):
        for split in ("train", "dev"):
            path = small.data / "villages" / language / f"{split}.conll"
            if path.exists():
                shutil.copy(path, world / "villages" / language / path.name)
    there = Store(tmp_path / "results")
    plain = run(small.settings(profiles=("word-lenient",)), small.execution(there.root, data_root=world))
    for what in ("scores", "predictions"):
        rows = table(store, done, what, f"test-{name}")
        assert rows
        assert rows == table(there, plain, what, "test")
    read = {f"{one.corpus} {one.split}": one.fingerprint for one in plain.data}
    assert {key: read[f"{key} test"] for key, split in prints(done) if split == f"test-{name}"} == {
        key: mark for (key, split), mark in prints(done).items() if split == f"test-{name}"
    }


def test_regular_scores_are_as_without(small: Small, store: Store, done: Run, tmp_path: Path) -> None:
    there = Store(tmp_path)
    plain = run(small.settings(profiles=("word-lenient",)), small.execution(there.root))
    assert (plain.run_id, plain.data, plain.perturbed) == (done.run_id, done.data, ())
    for what in ("scores", "predictions"):
        assert table(store, done, what, "test") == table(there, plain, what, "test")
        assert table(there, plain, what, "test-in-script") == set()


def test_records_say_what_became_of_the_entities(done: Run) -> None:
    assert [(one.split, one.corpus) for one in done.perturbed] == [
        (f"test-{name}", f"villages:{language}") for name in ALL for language in ("en", "sw", "no")
    ]
    for one in done.perturbed:
        assert (one.sentences, one.seed, one.without, one.kept) == (24, 0, (), 0)
        assert one.replaced == 48
    assert "perturbing" in done.seconds


def test_the_targets_of_a_run_change_nothing(small: Small, done: Run, tmp_path: Path) -> None:
    """Those that are not tested lend their names all the same; in whatever order the others are."""
    one = run(small.settings(targets=("sw",), perturb=ALL), small.execution(tmp_path))
    assert len(one.perturbed) == 2 * 3
    assert prints(one).items() <= prints(done).items()
    other = run(small.settings(seed=7, targets=("no", "sw"), perturb=ALL), small.execution(tmp_path))
    assert prints(other) == prints(done)


def test_a_done_run_is_done_again_for_what_it_lacks_and_keeps_what_it_has(small: Small, tmp_path: Path) -> None:
    def carried_out(*names: str) -> Run:
        return run(small.settings(perturb=names), small.execution(tmp_path))

    first = carried_out("in-family")
    assert carried_out() == carried_out("in-family") == first
    both = carried_out("in-language")
    assert both.run_id == first.run_id
    assert both.settings.perturb == ("in-language", "in-family")
    assert prints(first).items() <= prints(both).items()
    assert carried_out("in-family", "in-language") == both


def test_labels_of_test_splits_are_read_after_selection(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []
    read, sealing = corpus.read, corpus.seal

    def recording(card: Any, language: Any, split: Any, *places: Any, **how: Any) -> Any:
        if split == "test":
            asked.append((language.code, bool(list(tmp_path.glob("runs/*/selection.json")))))
        return read(card, language, split, *places, **how)

    def quietly(*args: Any, **how: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(corpus, "read", read)
            return sealing(*args, **how)

    monkeypatch.setattr(corpus, "read", recording)
    monkeypatch.setattr(corpus, "seal", quietly)
    run(small.settings(targets=("sw",), perturb=("in-script",)), small.execution(tmp_path))
    assert {code for code, _ in asked} == {"en", "sw", "no"}
    assert all(after for _, after in asked)


def test_all_languages_that_do_not_lend_are_named_at_once() -> None:
    missing = [MissingSplit("villages", code, "test", "not here") for code in ("en", "no", "sw")]
    assert "villages:en has no test split: not here; or make" in str(lacking("small", missing[:1]))
    assert "not here (nor has villages:no); or make" in str(lacking("small", missing[:2]))
    assert "not here (nor have villages:no, villages:sw); or" in str(lacking("small", missing))


def test_without_a_language_that_lends_the_splits_are_others_and_say_so(own: Small, tmp_path: Path) -> None:
    settings = own.settings(targets=("sw",), perturb=("in-script",))
    path = own.data / "villages" / "no" / "test.conll"
    path.rename(own.folder / "no.conll")
    with pytest.raises(XnerError, match=r"lack names to draw: villages:no has no test split: .*--allow-missing$"):
        run(settings, own.execution(tmp_path))
    heard = Recorded()
    less = run(settings, own.execution(tmp_path, allow_missing=True), heard)
    note = "no names of villages:no in perturbed test splits: no test split of theirs is here"
    assert ("note", note) in heard.events
    assert less.missing == ()
    assert {one.without for one in less.perturbed} == {("villages:no",)}
    (own.folder / "no.conll").rename(path)
    whole = run(settings, own.execution(tmp_path))  # the same run, and yet not what is there
    assert whole.run_id == less.run_id
    assert {one.without for one in whole.perturbed} == {()}
    assert not prints(less).items() & prints(whole).items()
    said = {one.name for one in compare.differences(less, whole) if one.about == "data"}
    assert said == {
        f"villages:{code} test-in-script{part}" for code in ("en", "sw") for part in ("", ": pool", ": without")
    }


def test_what_is_stored_is_sound_and_what_is_not_is_found(small: Small, tmp_path: Path) -> None:
    store = Store(tmp_path)
    done = run(small.settings(perturb=("in-script",)), small.execution(tmp_path))
    assert list(verify.check(store)) == []
    rows = store.table(done.run_id, "scores").to_pylist()
    lost = next(row for row in rows if row["split"] == "test-in-script")
    kept = [tuple(row.values()) for row in rows if row is not lost]
    store.save_table(done.run_id, "scores", SCORES, kept)
    problems = [one.problem for one in verify.check(store)]
    assert problems[0].startswith(f"test-in-script: no counts of {lost['type']} for villages:")
    assert all(problem.startswith("test-in-script: ") for problem in problems)


def test_no_id_knows_of_it(done: Run) -> None:
    told = {f"{one.corpus} {one.split}": one.fingerprint for one in done.data}
    plain = done.settings.model_copy(update={"perturb": ()})
    names = identity(plain, done.method_origin, done.encoder.fingerprint, told)
    assert (names.run_id, names.entry_id) == (done.run_id, done.entry_id)


def test_names_are_in_one_order_and_unknown_ones_one_line() -> None:
    assert settle(KNOWN, perturb=("in-family", "in-language", "in-family")).perturb == ("in-language", "in-family")
    with pytest.raises(XnerError, match=r"^--perturb: Input should be 'in-language'.*\(got 'in-house'\)$"):
        settle(KNOWN, perturb=("in-house",))


def test_it_goes_through_grids_files_and_the_proposed_command(small: Small, done: Run) -> None:
    settings = settle(KNOWN, perturb=("in-script",))
    assert grid.expand(KNOWN, grid.of(settings)) == [settings]
    written = gridfile.as_yaml(grid.of(settings))
    assert "perturb: in-script\n" in written
    where = Where(small.folder, (small.catalogue,), catalogue.load([small.catalogue]))
    assert "--perturb in-language,in-script,in-family" in command(done, where)
    assert api.set_up(perturb="in-family,in-script").perturb == ("in-script", "in-family")


def test_records_from_before_are_read(done: Run) -> None:
    old = done.settings.model_dump()
    del old["perturb"]
    assert RunSettings(**old).perturb == ()


def test_scores_as_a_table_say_the_split(store: Store, done: Run) -> None:
    found = api.scores(store.root).to_pylist()
    assert {row["split"] for row in found} == {"test", *(f"test-{name}" for name in ALL)}
    assert len({tuple(row[k] for k in ("run_id", "language", "split", "protocol", "profile")) for row in found}) == len(
        found
    )


def read_back(folder: Path, key: str, known: catalogue.Catalogue, suite: str) -> corpus.Corpus:
    """A written test split as a run would read it."""
    card, language = known.language(key)
    chosen = known.suite(suite)
    where = corpus.Places(folder, offline=True)
    return corpus.read(card, language, "test", where, types=chosen.types, harmonize=chosen.harmonization(card))


def test_written_splits_are_read_back_as_runs_score_them(small: Small, done: Run, tmp_path: Path) -> None:
    known = catalogue.load([small.catalogue])
    for name in ALL:
        said = write(small, name, tmp_path / name)
        assert "3 test splits, and perturbed.json" in said
        records = json.loads((tmp_path / name / "perturbed.json").read_text("utf-8"))
        assert records == [one.model_dump(mode="json") for one in done.perturbed if one.split == f"test-{name}"]
        for one in records:
            assert read_back(tmp_path / name, one["corpus"], known, "small").fingerprint == one["fingerprint"]


def test_nothing_is_written_over(small: Small, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    write(small, "in-script", tmp_path / "here")
    with pytest.raises(XnerError, match="not empty; give a new folder"):
        write(small, "in-script", tmp_path / "here")
    with pytest.raises(XnerError, match="not empty; give a new folder"):
        write(small, "in-script", small.data)


def test_a_language_that_is_not_here_stops_the_writing_or_is_named(own: Small, tmp_path: Path) -> None:
    (own.data / "villages" / "no" / "test.conll").unlink()
    with pytest.raises(XnerError, match="villages:no has no test split"):
        write(own, "in-script", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    said = write(own, "in-script", tmp_path / "out", "--allow-missing")
    assert "Nothing is drawn from what is not here: villages:no" in said
    assert "2 test splits" in said
    shutil.rmtree(own.data / "villages")
    with pytest.raises(XnerError, match="no test split of suite small is here"):
        write(own, "in-script", tmp_path / "none", "--allow-missing")


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes"])
def test_files_are_in_the_scheme_of_the_card(scheme: Any) -> None:
    one = corpus.Sentence(("Ann", "Bo", "Lee", "\u200b", ""), ("B-PER", "B-PER", "I-PER", "O", "O"))
    lines = [line.split("\t") for line in conll([one, one], scheme).split("\n\n")[0].split("\n")]
    assert [word for word, _ in lines] == list(one.words)
    assert spans([tag for _, tag in lines], scheme) == spans(one.tags)


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "-DOCSTART-"])
def test_a_word_that_no_file_can_hold_is_one_line(word: str) -> None:
    with pytest.raises(XnerError, match="cannot stand in a CoNLL file"):
        conll([corpus.Sentence((word,), ("O",))])


def test_real_data_is_read_back(nerdata: Path, tmp_path: Path) -> None:
    """Of two data sets and three scripts, words of nothing but invisible characters among them."""
    text = worlds.SUITE.replace("villages:en, villages:sw, villages:no", "wikiann:am, wikiann:qu, masakhaner:amh")
    text = text.replace("villages:en", "masakhaner:yor").replace("[PER, LOC]", "[PER, ORG, LOC]")
    (tmp_path / "cards" / "suites").mkdir(parents=True)
    (tmp_path / "cards" / "suites" / "small.yaml").write_text(text, "utf-8")
    where = ("--data-root", nerdata, "--catalogue", tmp_path / "cards", "--out", tmp_path / "out")
    argv = map(str, ("perturb", "--suite", "small", "--perturb", "in-script", *where, "--allow-missing"))
    said = CliRunner().invoke(data, list(argv), catch_exceptions=False).output
    assert "Nothing is drawn from what is not here: wikiann:qu" in said
    known = catalogue.load([tmp_path / "cards"])
    records = json.loads((tmp_path / "out" / "perturbed.json").read_text("utf-8"))
    assert [one["corpus"] for one in records] == ["masakhaner:yor", "wikiann:am", "masakhaner:amh"]
    for one in records:
        assert one["replaced"] > 100 * one["kept"]
        assert read_back(tmp_path / "out", one["corpus"], known, "small").fingerprint == one["fingerprint"]


def test_a_plan_lists_what_is_drawn_from_without_labels(small: Small, tmp_path: Path, done: Run) -> None:
    ready = plan.make(small.settings(targets=("sw",), perturb=ALL), small.execution(tmp_path), SILENT)
    assert [part.corpus for part in ready.lent] == ["villages:no"]
    assert ready.pools() <= {(one.corpus, one.split, one.pool) for one in done.perturbed}
    assert plan.make(small.settings(targets=("sw",)), small.execution(tmp_path), SILENT).lent == {}
