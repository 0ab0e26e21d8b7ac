"""A kept checkpoint to be shared: it loads, its card is one that the hub reads, and says what the run scored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import small
from huggingface_hub import ModelCard
from publishing import TOKEN, USER, outside_fences, secretive

from xner_bench import catalogue
from xner_bench.leaderboard import export, modelcard
from xner_bench.leaderboard.scores import Cell, read
from xner_bench.results import Store

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> small.Small:
    return small.build(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def store(world: small.Small) -> Store:
    """A run that kept its checkpoint, and one that did not."""
    results = world.folder / "results"
    assert small.call(*world.argv(results, "--seed", 1, "--keep-checkpoint")).status == 0
    assert small.call(*world.argv(results, "--seed", 2, "--epochs", 1)).status == 0
    return Store(results)


def exported(world: small.Small, run: Run, to: Path) -> small.Answer:
    where = ("--results", world.folder / "results", "--catalogue", world.catalogue)
    return small.call("export", run.run_id, "--to", to, *where)


def kept(store: Store, seed: int = 1) -> Run:
    (found,) = (run for run in store.runs() if run.settings.seed == seed)
    return found


def text(world: small.Small, run: Run) -> str:
    store = Store(world.folder / "results")
    return modelcard.card(run, store.table(kept(store).run_id, "scores"), "last", catalogue.load([world.catalogue]))


def test_the_folder_loads_and_its_card_says_what_the_run_scored(
    world: small.Small, store: Store, tmp_path: Path
) -> None:
    run = kept(store)
    answer = exported(world, run, tmp_path / "tagger")
    assert (answer.status, "README.md" in answer.out) == (0, True)
    shown: dict[str, Any] = {}
    exec(modelcard.USE.replace("DIR", str(tmp_path / "tagger")), shown)
    (entities,) = shown["tag"](["Amina", "left", "Kano", "."], is_split_into_words=True, delimiter=" ")
    assert {one["entity_group"] for one in entities} <= {"PER", "LOC"}
    found = ModelCard.load(tmp_path / "tagger" / "README.md").data
    scored = read(run, store.table(run.run_id, "scores"))
    told = {one.dataset_config: one for one in found.eval_results or () if one.metric_type == "f1"}
    assert told.keys() == {"en", "sw", "no"}
    for corpus in run.settings.corpora:
        f1 = scored[Cell(corpus, "last", "word-strict")].f1
        one = told[corpus.partition(":")[2]]
        assert f1 is not None
        assert one.metric_value == pytest.approx(f1 / 100, abs=1e-6)
        assert one.task_type == "token-classification"
        way = "trained on" if corpus in run.settings.sources else "TRUE zero-shot (last)"
        assert one.metric_name == f"F1, {way}, word-strict"
    assert found.language == ["en", "no", "sw"]  # and not false, as YAML has it
    assert found.license == "unknown"
    assert found.base_model is None  # it is in no repository of the hub
    assert json.loads((tmp_path / "tagger" / "run.json").read_bytes())["run_id"] == run.run_id


def test_the_same_run_gives_the_same_bytes_without_places(world: small.Small, store: Store, tmp_path: Path) -> None:
    for name in ("a", "b"):
        exported(world, kept(store), tmp_path / name)
    one, other = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert one == other
    assert not [name for name, data in one.items() if str(world.folder).encode() in data]


def test_the_card_tells_no_place(world: small.Small, store: Store) -> None:
    shown = text(world, secretive(kept(store)))
    assert not [secret for secret in (USER, TOKEN, "/home", "/srv") if secret in shown]
    assert str(world.folder) not in text(world, kept(store))


def test_an_encoder_of_the_hub_is_the_base(world: small.Small, store: Store) -> None:
    run = kept(store)
    encoder = run.encoder.model_copy(update={"name": "FacebookAI/xlm-roberta-base", "revision": "a" * 40})
    shown = text(world, run.model_copy(update={"encoder": encoder}))
    assert ModelCard(shown).data.base_model == "FacebookAI/xlm-roberta-base"
    assert "licence: mit" in shown


@pytest.mark.parametrize("name", ["---\nlicense: mit", "x | y\n# z", "<script>alert(1)</script>", "```\n[a](b)"])
def test_a_hostile_name_stays_text(world: small.Small, store: Store, name: str) -> None:
    run = kept(store)
    odd = run.model_copy(update={"settings": run.settings.model_copy(update={"method": name, "options": {"o": name}})})
    shown = text(world, odd)
    assert ModelCard(shown).data.license == "unknown"
    assert shown.count("\n---\n") == 1
    plain = outside_fences(shown.partition("\n---\n")[2])
    assert not [bad for bad in ("<script", "\n# z", "[a](b)", "license: mit") if bad in plain]


def test_a_run_without_a_checkpoint_is_one_line_that_names_the_flag(
    world: small.Small, store: Store, tmp_path: Path
) -> None:
    answer = exported(world, kept(store, 2), tmp_path / "x")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "--keep-checkpoint" in answer.err
    assert not (tmp_path / "x").exists()


def test_a_folder_with_something_in_it_is_refused(world: small.Small, store: Store, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for to, said in ((tmp_path, "is not empty"), (tmp_path / "thesis.tex", "is no folder")):
        answer = exported(world, kept(store), to)
        assert (answer.status, answer.err.count("\n")) == (2, 1)
        assert said in answer.err
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_what_transformers_says_of_folders_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": f"/home/{USER}/enc", "hidden_size": 8}))
    export._without_places(tmp_path / "config.json")
    assert json.loads((tmp_path / "config.json").read_text()) == {"hidden_size": 8}
