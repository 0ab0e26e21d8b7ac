"""Few-shot: what a run makes of its chosen checkpoint on k sentences of a target, and what it leaves as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import killing
import numpy as np
import pyarrow.parquet as pq
import pytest
import small as worlds
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import Small, call

import xner_bench
from xner_bench import (
    building,
    catalogue,
    fewshot,
    grid,
    gridfile,
    plan,
    protocol,
    stages,
    tagger,
    verify,
    vocabulary,
)
from xner_bench.checkpoints import Checkpoints
from xner_bench.cli.again import Where, command
from xner_bench.encode import encode
from xner_bench.leaderboard import board, legend, markdown, scores, shots, table
from xner_bench.leaderboard.scores import Cell
from xner_bench.results import Store
from xner_bench.run import run
from xner_bench.train import Diverged, Fit
from xner_bench.vocabulary import CompactEmbedding
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from xner_bench.encode import Encoded
    from xner_bench.fewshot import Start
    from xner_bench.leaderboard.lines import Section
    from xner_bench.plan import Part
    from xner_bench.results import Run
    from xner_bench.tagger import Tagger
    from xner_bench.work import Work

WAYS = ("random", "shortest", "longest")
KS = (5, 20)
EVERY = {"few_shot": KS, "sampling": WAYS}
METHODS: dict[str, dict[str, Any]] = {
    "standard": {},
    "slicer": {"h": 8},
    "bitfit": {},
    "lora": {"rank": 2},
    "prune": {"sparsity": 0.6, "scope": "dense+embeddings"},
    "crf+prune": {"end": 16},
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The small world with train splits of the targets, in which some sentences are those of the test split."""
    small = worlds.build(tmp_path_factory.mktemp("small"))
    for code, size in (("sw", 60), ("no", 40)):
        learned = [[*one[:-1], (f"{at}", "O"), one[-1]] for at, one in enumerate(worlds.corpus(code, "train", size))]
        tested = worlds.corpus(code, "test", worlds.SIZES["test"])[:3]
        worlds.write_split(small.data, code, "train", [*learned, *tested, [("a", "O"), ("b", "O")]])
    return small


@pytest.fixture(scope="module")
def done(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Run]:
    """A finished run, in a store that others may be added to."""
    results = tmp_path_factory.mktemp("done")
    return Store(results), run(small.settings(**EVERY), small.execution(results, keep_checkpoint=True))


def rows(store: Store, done: Run, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(store.folder(done.run_id) / f"{name}.parquet").to_pylist()
    return found


def other(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of all other protocols."""
    return [row for row in found if not protocol.shots(row["protocol"])]


def test_every_target_has_scores_for_every_sampling_and_k(done: tuple[Store, Run]) -> None:
    store, record = done
    chosen = store.selection(record.run_id)["selection"]["last"]["villages:sw"]
    found = [row for row in rows(store, record, "scores") if protocol.shots(row["protocol"])]
    wanted = {(code, protocol.few_shot(way, k)) for code in ("sw", "no") for way in WAYS for k in KS}
    assert {(row["language"], row["protocol"]) for row in found} == wanted
    assert {row["checkpoint"] for row in found} == {chosen}
    assert len(found) == len(wanted) * 2
    assert record.seconds["few-shot"] > 0


def test_what_was_drawn_is_recorded(done: tuple[Store, Run]) -> None:
    store, record = done
    counts = {one.corpus: (one.k, one.eligible, one.outside, one.overlapping, one.sentences) for one in record.few_shot}
    assert counts == {"villages:sw": (KS, 60, 1, 3, 64), "villages:no": (KS, 40, 1, 3, 44)}
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows(store, record, "few_shot"):
        found.setdefault((row["language"], row["sampling"]), []).append(row["sentence"])
    assert {key: len(drawn) for key, drawn in found.items()} == {(c, w): 20 for c in ("sw", "no") for w in WAYS}
    assert all(len({*drawn}) == 20 for drawn in found.values())
    assert all(sentence < 60 for sentence in found["sw", "random"]), "the last four are not eligible"


def test_a_store_with_few_shot_is_sound(done: tuple[Store, Run]) -> None:
    assert list(verify.check(done[0])) == []


@pytest.mark.parametrize("name", ["few_shot", "few_shot_predictions"])
def test_what_does_not_agree_is_found(done: tuple[Store, Run], tmp_path: Path, name: str) -> None:
    store, record = done
    copy = Store(tmp_path)
    for path in store.folder(record.run_id).glob("*.*"):
        copy.write(record.run_id, path.name, path.read_bytes())
    copy.save_run(record.model_copy(update={"checkpoint_kept": False}))
    path = copy.folder(record.run_id) / f"{name}.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    (finding,) = verify.check(copy)
    assert (finding.kind, finding.path) == ("contradiction", path)
    path.unlink()
    (finding,) = verify.check(copy)
    assert (finding.kind, finding.path) == ("missing", path)


def test_all_else_is_as_without_it(small: Small, done: tuple[Store, Run], tmp_path: Path) -> None:
    """Same id, same bits: few-shot comes after everything, and changes nothing before it."""
    store, record = done
    plain = run(small.settings(), small.execution(tmp_path, keep_checkpoint=True))
    assert plain.run_id == record.run_id
    assert rows(Store(tmp_path), plain, "scores") == other(rows(store, record, "scores"))
    for name in ("predictions", "history"):
        assert rows(Store(tmp_path), plain, name) == rows(store, record, name)
    folders = [one.folder(plain.run_id) for one in (Store(tmp_path), store)]
    for name in ("selection.json", "checkpoint/model.safetensors"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_done_run_is_done_again_for_what_it_lacks_and_keeps_what_it_has(small: Small, tmp_path: Path) -> None:
    execution, heard = small.execution(tmp_path), []
    run(small.settings(), execution)
    first = run(small.settings(few_shot=[5]), execution)
    assert (first.settings.few_shot, first.settings.sampling) == ((5,), ("random",))
    again = run(small.settings(few_shot=[10], sampling=["shortest"]), execution)
    assert (again.settings.few_shot, again.settings.sampling) == ((5, 10), ("random", "shortest"))
    before = {name: row for name, row in cells(Store(tmp_path), first).items() if protocol.shots(name[1])}
    assert before.items() <= cells(Store(tmp_path), again).items()
    for asked in ({}, {"few_shot": [5]}, {"few_shot": [10, 5], "sampling": ["shortest", "random"]}):
        run(small.settings(**asked), execution, after_epoch=lambda *told: heard.append(told))
    assert not heard
    assert list(verify.check(Store(tmp_path))) == []


def cells(store: Store, done: Run) -> dict[tuple[str, str, str], tuple[int, ...]]:
    return {
        (row["language"], row["protocol"], row["type"]): (row["tp"], row["fp"], row["fn"])
        for row in rows(store, done, "scores")
    }


def test_other_sentences_in_a_train_split_are_other_results(small: Small, tmp_path: Path) -> None:
    world = worlds.build(tmp_path / "world")
    worlds.write_split(world.data, "sw", "train", worlds.corpus("sw", "train", 30))
    settings, execution = world.settings(few_shot=[5], targets=["sw"]), world.execution(tmp_path / "results")
    first = run(settings, execution)
    worlds.write_split(world.data, "sw", "train", worlds.corpus("sw", "other", 30))
    second = run(settings, execution)
    assert first.run_id == second.run_id
    assert first.few_shot[0].fingerprint != second.few_shot[0].fingerprint


def test_labels_of_a_target_are_learned_from_only_after_selection(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Part, bool]] = []
    read = plan.Plan.read

    def watched(self: plan.Plan, part: Part) -> Any:
        seen.append((part, (Store(tmp_path).folder(self.run_id) / "selection.json").exists()))
        return read(self, part)

    monkeypatch.setattr(plan.Plan, "read", watched)
    run(small.settings(few_shot=[5]), small.execution(tmp_path))
    assert {selected for part, selected in seen if part.split == "train" and part.corpus != "villages:en"} == {True}
    assert {selected for part, selected in seen if part == ("villages:en", "train")} == {False}


# One fine-tuning.


def trained(small: Small, folder: Path, method: str, **changes: Any) -> Work:
    """A run up to where few-shot begins."""
    settings = small.settings(method, **{"options": METHODS[method], "few_shot": [10], **changes})
    ready = plan.make(settings, small.execution(folder), SILENT)
    work = stages.prepare(ready, Store(folder), SILENT)
    stages.train(work)
    stages.select(work)
    return work


def sample(work: Work, size: int = 10) -> tuple[Encoded, np.ndarray[Any, np.dtype[np.int64]]]:
    """Some sentences of Swahili, with subwords that the source's training data do not have."""
    corpus = work.ready.read(plan.Part("villages:sw", "train"))
    part = corpus.sentences[:size]
    ids = [work.ready.tag_names.index(tag) for one in part for tag in one.tags]
    return encode([one.words for one in part], building.subwords(work.ready, work.encoder)), np.array(ids)


def reference(work: Work, began: Start, encoded: Encoded, tags: Any) -> Tagger:
    """The same without a compact embedding: all rows are trained, most of them with a gradient of zero."""
    _, made = building.assemble(work.ready, SILENT)
    tagger.prepare(made, work.ready.method, work.settings.seed)
    name = f"{began.embedding}weight"
    assert began.table is not None
    own = {key: one for key, one in began.state.items() if made.state_dict()[key].shape == one.shape}
    made.load_state_dict({**own, name: began.table}, strict=False)
    masks = [one for key, one in made.named_buffers() if key == "pruning.embeddings-word_embeddings"]
    for mask in masks:
        mask.copy_(began.table != 0)
    for _ in Fit(made, work.ready.method, encoded, tags, work.settings.training, 42, moment=work.end):
        pass
    return made


def values(built: Tagger) -> dict[str, Tensor]:
    """Parameters by name, with all rows of the embedding."""
    found = {name: one.detach().clone() for name, one in built.named_parameters()}
    own = vocabulary.found(built)
    for name, module in built.named_modules():
        if module is own and isinstance(own, CompactEmbedding):
            found[f"{name}.weight"] = own.whole().weight.detach()
    return found


@pytest.mark.parametrize("protocol_name", ["last", "average"])
@pytest.mark.parametrize("method", METHODS)
def test_it_is_plain_fine_tuning_from_the_checkpoint(
    small: Small, tmp_path: Path, method: str, protocol_name: str
) -> None:
    if "lora" in method:
        pytest.importorskip("peft")
    base, _, more = method.partition("+")
    work = trained(small, tmp_path, method, weight_decay=0.3)
    work.ready = with_true(work.ready, protocol_name)
    began = fewshot.start(work)
    before = values(work.tagger)
    fresh = fewshot.begin(work, began, sample(work)[0])
    assert before.keys() == values(fresh).keys()
    assert all(torch.equal(one, before[name]) for name, one in values(fresh).items()), "all rows are as they were"
    tuned, wanted = fewshot.fine_tuned(work, began, *sample(work)), reference(work, began, *sample(work))
    found = values(tuned)
    assert found.keys() == dict(wanted.named_parameters()).keys()
    for name, one in wanted.named_parameters():
        torch.testing.assert_close(
            found[name], one.detach(), rtol=1e-4, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}"
        )
    frozen = {name for name, one in work.tagger.named_parameters() if not one.requires_grad}
    assert {name for name, one in found.items() if torch.equal(one, before[name])} >= frozen
    assert any(not torch.equal(one, before[name]) for name, one in found.items())
    if "prune" in (base, more):
        facts = work.ready.method.facts(tuned)
        assert facts["zeros"] >= round(facts["sparsity"] * facts["prunable"])
        assert all(bool((found[name][one == 0] == 0).all()) for name, one in before.items() if matrix(name, one))


def matrix(name: str, value: Tensor) -> bool:
    return value.ndim == 2 and name.startswith("transformer.encoder")


def with_true(ready: plan.Plan, name: str) -> plan.Plan:
    from dataclasses import replace

    return replace(ready, settings=ready.settings.model_copy(update={"true_protocol": name}))


def test_each_begins_at_the_checkpoint(small: Small, tmp_path: Path) -> None:
    work = trained(small, tmp_path, "standard")
    began = fewshot.start(work)
    first = values(fewshot.fine_tuned(work, began, *sample(work)))
    fewshot.fine_tuned(work, began, *sample(work, 20))
    second = values(fewshot.fine_tuned(work, began, *sample(work)))
    assert all(torch.equal(one, first[name]) for name, one in second.items())


def test_an_encoder_without_a_compact_embedding(
    small: Small, done: tuple[Store, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "compact", lambda *given: None)
    whole = run(small.settings(**EVERY), small.execution(tmp_path))
    assert cells(Store(tmp_path), whole) == cells(*done)


@given(st.integers(1, 12), st.lists(st.integers(0, 11), unique=True), st.integers(0, 11))
def test_rows_are_never_as_many_unless_they_are_the_same(rows: int, used: list[int], pad: int) -> None:
    found = fewshot.other_than(rows, np.array(sorted(used), np.int32), 12, pad)
    assert {*found.tolist()} >= {*used, pad}
    assert len(found) != rows or len(found) == 12


# What ends it.


def counted(
    monkeypatch: pytest.MonkeyPatch, fail_at: int = 0, error: type[BaseException] = KeyboardInterrupt
) -> list[int]:
    """Count fine-tunings, and let one of them fail."""
    calls: list[int] = []
    tune = fewshot.fine_tuned

    def watched(*given: Any) -> Any:
        calls.append(1)
        if len(calls) == fail_at:
            raise error("the loss of step 1 of 1 is nan")
        return tune(*given)

    monkeypatch.setattr(fewshot, "fine_tuned", watched)
    return calls


def test_what_is_finished_is_found_again(
    small: Small, done: tuple[Store, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, execution = small.settings(**EVERY), small.execution(tmp_path, keep_checkpoint=True)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        counted(patch, fail_at=5)
        run(settings, execution)
    kept = sorted(tmp_path.glob("runs/*/epochs/few-shot-*"))
    assert len(kept) == 4
    (kept[0] / "answer.json").write_text("{}", "utf-8")  # damaged
    found = Checkpoints(kept[1].parent)
    early = {name: value for name, value in (found.answer(kept[1].name) or {}).items() if name != "orphans"}
    found.save_answer(kept[1].name, early)  # as a version wrote it that kept no orphans
    calls = counted(monkeypatch)
    again = run(settings, execution)
    assert len(calls) == 2 * len(WAYS) * len(KS) - 2
    assert again.state == "done"
    assert killing.difference(Store(tmp_path).folder(again.run_id), done[0].folder(again.run_id)) == ""


def test_what_was_made_from_another_checkpoint_is_not_taken(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, execution = small.settings(few_shot=[5]), small.execution(tmp_path)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        counted(patch, fail_at=2)
        run(settings, execution)
    (kept,) = tmp_path.glob("runs/*/epochs/few-shot-*")
    marker = next(tmp_path.glob("runs/*/epochs/epoch-4/complete.json"))
    marker.write_text(json.dumps(json.loads(marker.read_text("utf-8")), indent=3), "utf-8")
    calls = counted(monkeypatch)
    run(settings, execution)
    assert kept.name
    assert len(calls) == 2


def test_killed_in_the_middle_it_goes_on_to_the_same_bits(small: Small, tmp_path: Path) -> None:
    argv = small.argv(tmp_path / "killed", "--few-shot", "5", "--sampling", "random,longest", "--epochs", 2)
    killed = killing.kill_at_event(argv, 8, "epochs/few-shot")
    assert killed.returncode < 0
    assert 0 < len([*tmp_path.glob("killed/runs/*/epochs/few-shot-*")]) < 4
    settings = small.settings(few_shot=[5], sampling=["random", "longest"], epochs=2)
    for name in ("killed", "whole"):
        run(settings, small.execution(tmp_path / name))
    assert killing.differences(tmp_path / "killed", tmp_path / "whole") == ""


def test_one_that_diverges_costs_no_other(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch, fail_at=2, error=Diverged)
    settings, execution = small.settings(few_shot=KS), small.execution(tmp_path)
    ended = run(settings, execution)
    assert ended.state == "done"
    assert {one.corpus: one.diverged for one in ended.few_shot} == {
        "villages:sw": ("few-shot-random-20",),
        "villages:no": (),
    }
    names = {(row["language"], row["protocol"]) for row in rows(Store(tmp_path), ended, "scores")}
    assert ("sw", "few-shot-random-5") in names
    assert ("sw", "few-shot-random-20") not in names
    assert list(verify.check(Store(tmp_path))) == []
    calls = counted(monkeypatch)
    assert run(settings, execution) == ended
    assert not calls, "it would diverge again"


# What was asked for.


def complaint(*argv: object) -> str:
    answer = call(*argv)
    assert (answer.status, answer.err.count("\n")) == (2, 1), answer.err
    return answer.err


def test_more_than_there_is(small: Small, tmp_path: Path) -> None:
    said = complaint(*small.argv(tmp_path, "--few-shot", "10,50,1000"))
    assert "2 of 2 targets" in said
    assert "villages:sw 60 (of 64, 1 not of 3 to 50 words, 3 also in its test split)" in said
    assert "--allow-missing" in said
    assert not list(tmp_path.glob("runs/*/run.json"))
    answer = call(*small.argv(tmp_path, "--few-shot", "10,50,1000", "--allow-missing", "--epochs", 1))
    assert answer.status == 0, answer.err
    (done,) = Store(tmp_path).runs()
    assert {one.corpus: one.k for one in done.few_shot} == {"villages:sw": (10, 50), "villages:no": (10,)}
    assert "--allow-missing" in command(done, Where(tmp_path, (), catalogue.load([small.catalogue])))
    assert list(verify.check(Store(tmp_path))) == []


def test_no_train_split(small: Small, tmp_path: Path) -> None:
    world = worlds.build(tmp_path / "world")
    worlds.write_split(world.data, "sw", "train", worlds.corpus("sw", "train", 30))
    said = complaint(*world.argv(tmp_path / "results", "--few-shot", "5"))
    assert "villages:no none (no train split)" in said
    settings, execution = world.settings(few_shot=[5]), world.execution(tmp_path / "results", allow_missing=True)
    done = run(settings, execution)
    reasons = {one.corpus: bool(one.reason) for one in done.few_shot}
    assert reasons == {"villages:sw": False, "villages:no": True}
    said = complaint(*world.argv(tmp_path / "results", "--targets", "no", "--few-shot", "5", "--allow-missing"))
    assert "villages:no none" in said


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (("--targets", "en", "--few-shot", "5"), "every target is trained on already"),
        (("--sampling", "longest"), "add --few-shot 10,100"),
        (("--few-shot", "0"), "0 is not in the range x>=1"),
        (("--few-shot", "5", "--sampling", "tallest"), "'tallest' is not one of 'random', 'shortest', 'longest'"),
    ],
)
def test_bad_input_is_one_line(small: Small, tmp_path: Path, given: tuple[str, ...], what: str) -> None:
    answer = call(*small.argv(tmp_path, *given))
    assert answer.status == 2
    assert what in answer.err


def test_flags_files_and_records_say_the_same(small: Small, done: tuple[Store, Run], tmp_path: Path) -> None:
    known = catalogue.load([small.catalogue])
    assert "--few-shot 5,20 --sampling random,shortest,longest" in command(done[1], Where(tmp_path, (), known))
    made = grid.of(done[1].settings)
    path = tmp_path / "grid.yaml"
    path.write_text(gridfile.as_yaml(made), "utf-8")
    assert gridfile.find(known, str(path)) == made
    (same,) = grid.expand(known, made)
    assert (same.few_shot, same.sampling) == (KS, WAYS)
    plain = grid.of(small.settings())
    assert grid.name(plain) != grid.name(made)
    assert "few_shot" not in gridfile.as_yaml(plain)
    path.write_text("method: standard\nsuite: small\nfew_shot: [ten]\n", "utf-8")
    assert "few_shot" in complaint("run", "--catalogue", small.catalogue, "--grid", path, "--results", tmp_path)


def test_a_plan_says_how_often(small: Small, tmp_path: Path) -> None:
    answer = call(*small.argv(tmp_path, "--few-shot", "5,20", "--sampling", "random,longest", "--dry-run"))
    assert "few-shot: 5 20 sentences, random longest: 8 fine-tunings" in answer.out


def test_settings_are_in_order(small: Small) -> None:
    settings = small.settings(few_shot=[50, 10, 50], sampling=["longest", "random"])
    assert (settings.few_shot, settings.sampling) == ((10, 50), ("random", "longest"))


def test_a_few_sentences_of_a_distant_language_help(tmp_path: Path) -> None:
    """The quick suite as everybody runs it, on one of its languages."""
    few = {"few_shot": [10, 50], "sampling": "random,shortest,longest"}
    settings = xner_bench.set_up("quick", "standard", targets=["zh"], epochs=3, **few)
    done = xner_bench.carry_out(settings, tmp_path)
    told = xner_bench.scores(tmp_path).to_pylist()
    found = {(row["language"], row["protocol"]): row["f1"] for row in told}
    assert done.few_shot[0].k == (10, 50)
    for way in WAYS:
        assert found["zh", protocol.few_shot(way, 50)] > found["zh", "last"] + 5
    assert list(verify.check(Store(tmp_path))) == []


# The leaderboard.


@pytest.fixture(scope="module")
def section(small: Small, done: tuple[Store, Run]) -> Section:
    """Of that run, of another seed with fewer sentences, and of another method without few-shot."""
    store = done[0]
    run(small.settings(few_shot=[5], sampling=["longest"], seed=1), small.execution(store.root))
    run(small.settings("slicer", options={"h": 8}), small.execution(store.root))
    (found,) = board.build(store, catalogue.load([small.catalogue]))
    return found


def test_curves(section: Section, done: tuple[Store, Run]) -> None:
    found = shots.curves(section.lines)
    assert [(curve.line.label, curve.sampling) for curve in found] == [("standard", way) for way in ("longest",)]
    assert shots.numbers(found) == [0, 5]
    (group,) = shots.groups(section)
    assert group.corpora == ("villages:sw", "villages:no"), "none with the source"
    own, line = cells(*done), found[0].line
    for protocol_name in ("last", "few-shot-longest-5"):
        assert line.means[group.name, protocol_name].f1
        first = line.seeds[group.name, protocol_name][42]
        assert first == pytest.approx(np.mean([f1(own, code, protocol_name) for code in ("sw", "no")]))
    assert found[0].cell(section, group, 0) == legend.group_cell(line, group.name, "last")
    assert line.rows["villages:no", "few-shot-random-20"].reason == "not scored in 1 of 2 seeds"
    assert line.rows["villages:en", "few-shot-random-20"].reason == "trained on already"


def f1(found: dict[tuple[str, str, str], tuple[int, ...]], language: str, name: str) -> float:
    tp, fp, fn = np.sum([found[language, name, kind] for kind in ("PER", "LOC")], axis=0)
    return float(200 * tp / (2 * tp + fp + fn))


def test_tables_tell_sampling_and_k(section: Section, small: Small) -> None:
    known = catalogue.load([small.catalogue])
    for found in (table.per_language([section], known), table.means([section])):
        told = {(row["entry"], row["protocol"], row["sampling"], row["k"]) for row in found.to_pylist()}
        assert {name for name in told if name[1] == "few-shot"} == {
            ("standard", "few-shot", way, k) for way in WAYS for k in KS
        }
        assert {name[2:] for name in told if name[1] != "few-shot"} == {(None, None)}


def test_boards_show_them(section: Section, small: Small, done: tuple[Store, Run]) -> None:
    known = catalogue.load([small.catalogue])
    text = markdown.leaderboard([section])
    assert "| Entry | Encoder | Sampling | k = 0 | k = 5 |" in text
    assert markdown.per_language([section], known).count("few-shot-longest-5\n") == 1
    where = ("--catalogue", small.catalogue, "--results", done[0].root)
    assert "Few-shot, Villages, invented without the source" in call("leaderboard", "show", *where).out
    shown = call("runs", "show", done[1].run_id, *where).out
    assert "few-shot:  5 20 sentences, random shortest longest; drawn from villages:sw 60 (of 64" in shown
    assert "Few-shot: each entry goes on" in shown


def test_ways_and_numbers_are_in_order() -> None:
    names = [protocol.few_shot(way, k) for way in WAYS for k in (10, 50, 100, 500, 1000)]
    found = scores.protocols([Cell("a:b", name, "word-strict") for name in sorted(names)], "last")
    assert list(found) == ["last", "source-dev", "oracle", *names]
