"""Runs sent to somebody: packed, scored again, merged; whoever changes a number in between is found out."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import hostile
import pyarrow.parquet as pq
import pytest
import small as worlds
from hostile import of_json, of_rows

from xner_bench import catalogue, corpus, files, identity
from xner_bench.leaderboard import archive, board, bundle, merge, outputs, owndata, unpack, verify_bundle
from xner_bench.results import Run, Store
from xner_bench.run import run as carry_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from small import Small

ALL = ("in-language", "in-script", "in-family")
PROFILES = ("word-lenient", "tag-accuracy", "subword-lenient")


class Sent(NamedTuple):
    """A laboratory: its world, its results, and the file that it sends of all of them."""

    world: Small
    store: Store
    path: Path
    runs: tuple[Run, ...]

    @property
    def flags(self) -> tuple[object, ...]:
        return ("--data-root", self.world.data, "--catalogue", self.world.catalogue)

    def verify(self, *paths: Path) -> worlds.Answer:
        return worlds.call("leaderboard", "verify", *(paths or (self.path,)), *self.flags)

    def merge(self, results: Path, *paths: Path) -> worlds.Answer:
        return worlds.call("leaderboard", "merge", *(paths or (self.path,)), "--results", results, *self.flags)

    def board(self, results: Path) -> dict[str, bytes]:
        known = catalogue.load([self.world.catalogue])
        return outputs.outputs(board.build(Store(results), known), known)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """A plain run, and one with everything that a run can have."""
    world = worlds.build(tmp_path_factory.mktemp("small"))
    for code in ("sw", "no"):
        worlds.write_split(world.data, code, "train", worlds.corpus(code, "train", 40))
    store = Store(tmp_path_factory.mktemp("results"))
    everything = {"perturb": ALL, "profiles": PROFILES, "few_shot": [5, 10], "sampling": ["random", "shortest"]}
    settings = [world.settings(seed=1), world.settings("slicer", options={"h": 8}, **everything)]
    runs = tuple(carry_out(one, world.execution(store.root, keep_checkpoint=True)) for one in settings)
    path = tmp_path_factory.mktemp("sent") / "ours.zip"
    bundle.pack(store, runs, path)
    return Sent(world, store, path, runs)


def test_a_bundle_has_results_and_nothing_else(sent: Sent) -> None:
    with zipfile.ZipFile(sent.path) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
    plain, full = ({path.name for path in sent.store.folder(run.run_id).iterdir()} for run in sent.runs)
    assert {*names} == {
        "bundle.json",
        *(f"{sent.runs[0].run_id}/{name}" for name in plain - {"checkpoint"}),
        *(f"{sent.runs[1].run_id}/{name}" for name in full - {"checkpoint"}),
    }
    assert "few_shot_predictions.parquet" in full - plain
    whole = b"".join(hostile.members(sent.path).values())
    for secret in (sent.world.folder, sent.store.root):
        assert str(secret).encode() not in whole


def test_the_same_runs_give_the_same_bytes(sent: Sent, tmp_path: Path) -> None:
    ids = [run.run_id for run in sent.runs]
    for number, names in enumerate((["all"], ids, ids[::-1], [*ids, ids[0]], [ids[0][:-3], ids[1].rpartition("-")[2]])):
        path = tmp_path / f"{number}.zip"
        answer = worlds.call("leaderboard", "bundle", *names, "--results", sent.store.root, "--to", path)
        assert answer.status == 0, answer.err
        assert "2 runs" in answer.out
        assert path.read_bytes() == sent.path.read_bytes()


def test_a_bundle_is_verified(sent: Sent) -> None:
    answer = sent.verify()
    assert answer.status == 0, answer.out + answer.err
    for run in sent.runs:
        assert f"verified: {run.run_id}: " in answer.out
    assert "2 of 2 runs verified" in answer.out
    assert "does not decide them: counts of subword-lenient\n" in answer.out
    assert "that these methods predicted this" in answer.out


def test_every_count_of_words_is_scored_again(sent: Sent) -> None:
    answer = sent.verify()
    for run in sent.runs:
        rows = pq.read_table(sent.store.folder(run.run_id) / "scores.parquet").to_pylist()
        counts = sum(row["profile"] != "subword-lenient" for row in rows)
        assert f"{run.run_id}: {counts:,} counts scored again" in answer.out


def moved(rows: list[dict[str, Any]]) -> None:
    """Another type for the first entity."""
    rows[0]["type"] = "LOC" if rows[0]["type"] == "PER" else "PER"


def first(rows: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    return next(row for row in rows if all(row[name] == value for name, value in wanted.items()))


def test_a_changed_span_is_named_with_its_cell(sent: Sent, tmp_path: Path) -> None:
    """The acceptance: `bundle`, a change of one predicted span in it, `verify` names the cell."""
    run = sent.runs[0]
    row = pq.read_table(sent.store.folder(run.run_id) / "predictions.parquet").to_pylist()[0]
    changed = hostile.exchanged(sent.path, {f"{run.run_id}/predictions.parquet": of_rows(moved)}, tmp_path / "x.zip")
    answer = sent.verify(changed)
    assert answer.status == 2
    cell = rf"{run.run_id}: {row['dataset']}:{row['language']} test, (\S+), word-strict, (PER|LOC): "
    said = r"((tp|fp|fn) \d+ in the file, \d+ by its predictions(; |$))+"
    lines = [line for line in answer.out.splitlines() if line.startswith("wrong: ")]
    found = [re.fullmatch(f"wrong: {cell}{said}", line) for line in lines]
    assert all(found), lines
    assert {one[2] for one in found if one} == {"PER", "LOC"}
    assert "1 of 2 runs verified" in answer.out


def set_count(rows: list[dict[str, Any]], **wanted: object) -> None:
    """One invented entity more, in the first row of a kind."""
    row = first(rows, **wanted)
    row["fp"] += 1


def all_found(rows: list[dict[str, Any]], profile: str) -> None:
    for row in rows:
        if row["profile"] == profile:
            row.update(tp=row["support"], fp=0, fn=0)


def more_gold(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row.update(fn=row["fn"] + 1, support=row["support"] + 1)


def shortened(rows: list[dict[str, Any]]) -> None:
    for name in ("tp", "fp", "fn"):
        rows[0][name].pop()


CHANGES: dict[str, tuple[str, Callable[[list[dict[str, Any]]], object], str]] = {
    "an entity longer": ("predictions", lambda rows: rows[0].update(end=rows[0]["end"] + 1), "by its predictions"),
    "an entity less": ("predictions", lambda rows: rows.pop(0), "by its predictions"),
    "an entity beyond its sentence": ("predictions", lambda rows: rows[0].update(end=99), "lies outside of it"),
    "an entity twice": ("predictions", lambda rows: rows.insert(0, dict(rows[0])), "share a word"),
    "an entity nowhere": ("predictions", lambda rows: rows[0].update(sentence=10**6), "lies in sentence 1000000"),
    "an entity before the first": ("predictions", lambda rows: rows[0].update(sentence=-1), "lies in sentence -1"),
    "another type": ("predictions", lambda rows: rows[0].update(type="ORG"), "a type that is not scored"),
    "a checkpoint of nobody": ("predictions", lambda rows: rows.append({**rows[0], "checkpoint": 77}), "checkpoint 77"),
    "a language of nobody": ("predictions", lambda rows: rows.append({**rows[0], "language": "xx"}), "villages:xx"),
    "another count": ("scores", lambda rows: set_count(rows, profile="word-strict"), "word-strict, PER: fp "),
    "another few-shot count": (
        "scores",
        lambda rows: set_count(rows, protocol="few-shot-random-5", profile="word-strict"),
        "few-shot-random-5, word-strict, PER: fp ",
    ),
    "a perturbed count": (
        "scores",
        lambda rows: set_count(rows, split="test-in-script", profile="word-strict", protocol="oracle"),
        "test-in-script, oracle, word-strict, PER: fp ",
    ),
    "gold of nobody": ("scores", more_gold, " in the file, "),
    "lenient beyond all": ("scores", lambda rows: all_found(rows, "word-lenient"), "word-lenient, "),
    "accuracy beyond all": ("scores", lambda rows: all_found(rows, "tag-accuracy"), "tag-accuracy, tag: tp"),
    "a cell less": ("scores", lambda rows: rows.pop(0), "no counts of"),
    "a cell twice": ("scores", lambda rows: rows.append(dict(rows[0])), "stands twice"),
    "a cell more": ("scores", lambda rows: rows.append({**rows[0], "language": "xx"}), "were not to be"),
    "a negative count": ("scores", lambda rows: rows[0].update(fp=-1), "is no count"),
    "a huge count": ("scores", lambda rows: rows[0].update(fp=2**62), "fp 4611686018427387904 in the file, "),
    "counts of a sentence": ("sentence_counts", lambda rows: rows[0]["tp"].__setitem__(0, 7), "sentence 0 has other"),
    "fewer sentences": ("sentence_counts", shortened, "sentence 0 has other"),
    "the same sentence twice": ("few_shot", lambda rows: rows[0].update(sentence=rows[1]["sentence"]), "these are not"),
    "another few-shot entity": ("few_shot_predictions", moved, "few-shot-"),
    "a loss that is none": ("history", lambda rows: rows[0].update(value=float("nan")), "no number"),
    "other dev scores": ("history", lambda rows: first(rows, name="f1").update(value=0.987), "dev scores"),
}


def problems(sent: Sent, path: Path, run: Run) -> tuple[str, ...]:
    """What is wrong with a run of a bundle whose tables are known to be readable."""
    known = catalogue.load([sent.world.catalogue])
    data = owndata.Data(known, corpus.Places(sent.world.data, offline=True))
    with path.open("rb") as stream:
        found = unpack.Bundle(path, "", stream, {one.name: one for one in archive.members(stream)}).read(run.run_id)
    verdict = verify_bundle.check(found, data, known)
    assert not verdict.absent
    return verdict.problems


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_changed_in_a_table_is_found(sent: Sent, name: str, tmp_path: Path) -> None:
    table, edit, said = CHANGES[name]
    plain, full = sent.runs
    changes = {f"{full.run_id}/{table}.parquet": of_rows(edit)}
    path = hostile.exchanged(sent.path, changes, tmp_path / "x.zip")
    found = problems(sent, path, full)
    assert any(said in problem for problem in found), found
    assert problems(sent, path, plain) == ()


def test_nothing_of_a_bundle_with_a_wrong_run_is_merged(sent: Sent, tmp_path: Path) -> None:
    path = hostile.exchanged(sent.path, {f"{sent.runs[1].run_id}/predictions.parquet": of_rows(moved)})
    answer = sent.merge(tmp_path / "results", path)
    assert answer.status == 2
    assert "1 of 2 runs verified" in answer.out
    assert "nothing was added" in answer.out
    assert not (tmp_path / "results").exists()


def test_a_sample_in_another_order_is_not_what_its_seed_draws(sent: Sent, tmp_path: Path) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        one, other = rows[0]["sentence"], rows[1]["sentence"]
        rows[0]["sentence"], rows[1]["sentence"] = other, one

    path = hostile.exchanged(sent.path, {"few_shot.parquet": of_rows(swap)}, tmp_path / "x.zip")
    (found,) = problems(sent, path, sent.runs[1])
    assert "is not the one that its seed draws" in found


def better(value: dict[str, Any]) -> None:
    """Another epoch for a target, without another dev score."""
    chosen = value["selection"]["oracle"]
    chosen["villages:sw"] = 5 - chosen["villages:sw"]


def test_chosen_checkpoints_follow_from_dev_scores(sent: Sent, tmp_path: Path) -> None:
    path = hostile.exchanged(sent.path, {"selection.json": of_json(better)}, tmp_path / "x.zip")
    assert "the checkpoints of oracle are not those that its dev scores choose" in problems(sent, path, sent.runs[0])


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 77), ("types", ["PER"]), ("options", {"h": 4}), ("suite", "quick"), ("chosen_on", ["villages:sw"])],
)
def test_settings_are_those_that_the_ids_stand_for(sent: Sent, field: str, value: object, tmp_path: Path) -> None:
    edit = of_json(lambda record: record["settings"].update({field: value}))
    path = hostile.exchanged(sent.path, {"run.json": edit}, tmp_path / "x.zip")
    with pytest.raises(archive.Refused, match=r"its ids are not those|is not among|such a run does not"):
        problems(sent, path, sent.runs[0])


def renamed(sent: Sent, to: Path, **changes: Any) -> tuple[Path, Run]:
    """A bundle whose first run has other settings, and the ids of these: what somebody sends who knows how."""
    found = hostile.members(sent.path)
    run = sent.runs[0]
    prefix = f"{run.run_id}/"
    record = json.loads(found[f"{prefix}run.json"])
    record["settings"].update(changes)
    other = Run.model_validate(record)
    prints = {f"{one.corpus} {one.split}": one.fingerprint for one in other.data}
    own = identity.identity(other.settings, other.method_origin, other.encoder.fingerprint, prints)
    record.update(run_id=own.run_id, entry_id=own.entry_id)
    files = {name.replace(prefix, f"{own.run_id}/"): data for name, data in found.items() if name.startswith(prefix)}
    files[f"{own.run_id}/run.json"] = json.dumps(record).encode()
    with to.open("wb") as stream:
        archive.write(stream, {"bundle.json": found["bundle.json"], **files}.items())
    return to, other.model_copy(update=own._asdict())


def test_a_method_that_is_not_here_stops_nothing(sent: Sent, tmp_path: Path) -> None:
    path, _ = renamed(sent, tmp_path / "x.zip", method="unheard-of", options={"depth": 3, "kind": "wide"})
    answer = sent.merge(tmp_path / "results", path)
    assert answer.status == 0, answer.out + answer.err
    assert "added: unheard-of-small-s1-" in answer.out
    assert b"unheard-of" in sent.board(tmp_path / "results")["leaderboard.md"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suite": "unheard-of"}, "suite 'unheard-of' is not here"),
        ({"types": ["PER", "LOC", "ORG"]}, "are not those of suite small"),
        ({"harmonize": {"villages": {"DATE": "O", "LOC": "PER"}}}, "mapped otherwise"),
        ({"harmonize": {}}, "mapped otherwise"),
        ({"true_protocol": "oracle"}, "TRUE protocol"),
        ({"true_protocol": "source-dev"}, "TRUE protocol"),
        ({"profiles": ["word-lenient"]}, "has the profile 'word-strict', which the run has not"),
        ({"targets": ["villages:en", "villages:sw"]}, "was read, which such a run does not"),
        ({"targets": ["villages:en", "villages:sw", "villages:no", "villages:xx"]}, "villages:xx test is not among"),
    ],
)
def test_runs_of_another_set_up_are_refused(sent: Sent, changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path, run = renamed(sent, tmp_path / "x.zip", **changes)
    try:
        found = " ".join(problems(sent, path, run))
    except archive.Refused as error:
        found = str(error)
    assert said in found


def test_other_data_are_no_ground_to_verify_on(sent: Sent, tmp_path: Path) -> None:
    shutil.copytree(sent.world.folder, tmp_path / "world")
    own = worlds.Small(tmp_path / "world")
    worlds.write_split(own.data, "sw", "test", worlds.corpus("sw", "other", 24))
    answer = sent._replace(world=own).verify()
    assert answer.status == 2
    assert "villages:sw test: not the data that are here (fingerprint " in answer.out


def test_data_that_are_not_here_are_said_and_not_verified(sent: Sent, tmp_path: Path) -> None:
    shutil.copytree(sent.world.folder, tmp_path / "world")
    own = worlds.Small(tmp_path / "world")
    (own.data / "villages" / "sw" / "test.conll").unlink()
    (own.data / "villages" / "en" / "dev.conll").unlink()
    there = sent._replace(world=own)
    answer = there.verify()
    assert answer.status == 1, answer.out
    assert "0 of 2 runs verified" in answer.out
    assert "not here, so not verified: villages:en dev, villages:en test-in-script, " in answer.out
    assert "villages:sw test, " in answer.out
    assert "--data-root" in answer.out
    merged = there.merge(tmp_path / "results")
    assert merged.status == 2
    assert "nothing was added" in merged.out
    worlds.write_split(own.data, "sw", "test", worlds.corpus("sw", "test", 24))
    assert there.merge(tmp_path / "results").status == 0  # without the dev split, which no count needs


def test_merged_results_are_a_sound_store_with_the_same_board(sent: Sent, tmp_path: Path) -> None:
    """Two results folders, bundled one by one, give the board of one folder with both."""
    paths = []
    for run in sent.runs:
        path = tmp_path / f"{run.settings.method}.zip"
        bundle.pack(sent.store, [run], path)
        paths.append(path)
    answer = sent.merge(tmp_path / "merged", *paths[::-1])
    assert answer.status == 0, answer.out + answer.err
    assert "2 runs added" in answer.out
    checked = worlds.call("results", "check", "--results", tmp_path / "merged", "--catalogue", sent.world.catalogue)
    assert checked.status == 0, checked.out
    both = tmp_path / "both"
    shutil.copytree(sent.store.root, both)
    plain, full = (run.run_id for run in sent.runs)
    merged = Store(tmp_path / "merged")
    assert merged.run(plain).settings.profiles == ("word-strict",)
    assert merged.run(full).settings.profiles == ("word-strict", "word-lenient", "tag-accuracy")
    for name in ("scores", "predictions", "history", "sentence_counts"):
        assert merged.table(plain, name).equals(sent.store.table(plain, name))
    shutil.rmtree(both / "runs" / sent.runs[1].run_id)
    shutil.rmtree(tmp_path / "merged" / "runs" / sent.runs[1].run_id)
    assert sent.board(both) == sent.board(tmp_path / "merged")


def test_a_merged_run_says_where_it_came_from(sent: Sent, tmp_path: Path) -> None:
    sent.merge(tmp_path / "results")
    for run in sent.runs:
        found = Store(tmp_path / "results").run(run.run_id)
        assert found.provenance[merge.SUBMISSION] == files.sha256(sent.path)
        assert not found.checkpoint_kept
        assert not (tmp_path / "results" / "runs" / run.run_id / "checkpoint").exists()


def test_merging_again_changes_nothing(sent: Sent, tmp_path: Path) -> None:
    sent.merge(tmp_path / "results")
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*.*") if path.is_file()}
    answer = sent.merge(tmp_path / "results", sent.path, sent.path)
    assert answer.status == 0
    assert "0 runs added" in answer.out
    assert {path: path.read_bytes() for path in (tmp_path / "results").rglob("*.*") if path.is_file()} == before
    assert sent.merge(sent.store.root).status == 0  # whoever sent them has them


def test_a_run_that_is_there_with_other_results_is_a_conflict(sent: Sent, tmp_path: Path) -> None:
    sent.merge(tmp_path / "results")
    run = sent.runs[0]
    folder = tmp_path / "results" / "runs" / run.run_id
    rows = pq.read_table(folder / "predictions.parquet")
    pq.write_table(rows.slice(1), folder / "predictions.parquet")
    shutil.rmtree(tmp_path / "results" / "runs" / sent.runs[1].run_id)
    answer = sent.merge(tmp_path / "results")
    assert answer.status == 2
    assert f"conflict: {run.run_id}: it is in {folder} already, with another predictions.parquet" in answer.out
    assert not (tmp_path / "results" / "runs" / sent.runs[1].run_id).exists()
    assert "nothing was added" in answer.out


def test_a_run_under_way_or_unfinished_is_a_conflict(sent: Sent, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    run = sent.runs[0]
    store.save_run(run.model_copy(update={"state": "started"}))
    answer = sent.merge(store.root)
    assert answer.status == 2
    assert "already, and started" in answer.out
    shutil.rmtree(store.folder(run.run_id))
    with store.lock(run.run_id):
        answer = sent.merge(store.root)
    assert answer.status == 2
    assert "another process carries out" in answer.out
    assert [path.name for path in (store.root / "runs").iterdir() if path.is_dir()] == []
    assert sent.merge(store.root).status == 0


def test_one_bad_file_among_good_ones_keeps_all_out(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK no zip" * 9)
    answer = sent.merge(tmp_path / "results", sent.path, tmp_path / "bad.zip", tmp_path / "none.zip")
    assert answer.status == 2
    assert "bad.zip: not a bundle" in answer.out
    assert "none.zip: no such file" in answer.out
    assert "2 of 2 runs verified" in answer.out
    assert "nothing was added" in answer.out


def test_a_bundle_of_merged_runs_can_be_merged(sent: Sent, tmp_path: Path) -> None:
    sent.merge(tmp_path / "one")
    answer = worlds.call("leaderboard", "bundle", "all", "--results", tmp_path / "one", "--to", tmp_path / "again.zip")
    assert answer.status == 0, answer.err
    answer = sent.merge(tmp_path / "two", tmp_path / "again.zip")
    assert answer.status == 0, answer.out
    assert "2 of 2 runs verified" in answer.out


def test_only_sound_finished_runs_are_bundled(sent: Sent, tmp_path: Path) -> None:
    where = ("--results", tmp_path / "results", "--to", tmp_path / "x.zip")
    answer = worlds.call("leaderboard", "bundle", "all", *where)
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "no finished and sound run in" in answer.err
    shutil.copytree(sent.store.root, tmp_path / "results")
    store, run = Store(tmp_path / "results"), sent.runs[0]
    assert "no run is called 'nobody'" in worlds.call("leaderboard", "bundle", "nobody", *where).err
    (store.folder(run.run_id) / "history.parquet").unlink()
    answer = worlds.call("leaderboard", "bundle", run.run_id, *where)
    assert answer.status == 2
    assert "is not sound: history.parquet" in answer.err
    store.save_run(run.model_copy(update={"state": "failed", "error": "x"}))
    answer = worlds.call("leaderboard", "bundle", run.run_id, *where)
    assert "is failed; only finished runs" in answer.err
    assert not (tmp_path / "x.zip").exists()
    (tmp_path / "x.zip").write_text("something precious")
    answer = worlds.call("leaderboard", "bundle", sent.runs[1].run_id, *where)
    assert "is there, and no bundle" in answer.err
    assert (tmp_path / "x.zip").read_text() == "something precious"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as other:
        other.writestr("thesis.xml", "precious, too")
    answer = worlds.call("leaderboard", "bundle", sent.runs[1].run_id, *where)
    assert "is there, and no bundle" in answer.err
    assert zipfile.ZipFile(tmp_path / "x.zip").namelist() == ["thesis.xml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "x.zip"]


def test_all_says_which_runs_it_leaves_out(sent: Sent, tmp_path: Path) -> None:
    shutil.copytree(sent.store.root, tmp_path / "results")
    store, run = Store(tmp_path / "results"), sent.runs[0]
    store.save_run(run.model_copy(update={"state": "started"}))
    (store.root / "runs" / "damaged").mkdir()
    (store.root / "runs" / "damaged" / "run.json").write_text("{")
    answer = worlds.call("leaderboard", "bundle", "all", "--results", store.root, "--to", tmp_path / "x.zip")
    assert answer.status == 0, answer.err
    assert f"left out: {run.run_id} is interrupted; only finished runs can be bundled\n" in answer.out
    assert "left out: " + str(store.root / "runs" / "damaged" / "run.json") in answer.out
    assert "x.zip: 1 run, " in answer.out
    (store.folder(sent.runs[1].run_id) / "history.parquet").unlink()
    where = ("--results", store.root, "--to", tmp_path / "y.zip")
    assert "no finished and sound run in" in worlds.call("leaderboard", "bundle", "all", *where).err
    store.save_run(run)
    answer = worlds.call("leaderboard", "bundle", "all", *where)
    assert answer.status == 0, answer.err
    assert f"left out: {sent.runs[1].run_id} is not sound: history.parquet" in answer.out
    assert "no run is called 'nobody'" in worlds.call("leaderboard", "bundle", "all", "nobody", *where).err


def test_a_bundle_that_cannot_be_written_is_one_line_and_leaves_no_folder(sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = sent.runs[0]

    def refused(to: object, results: Path = sent.store.root) -> str:
        answer = worlds.call("leaderboard", "bundle", run.run_id, "--results", results, "--to", to)
        assert (answer.status, answer.err.count("\n")) == (2, 1)
        return answer.err

    for path in (tmp_path / "file" / "x.zip", tmp_path / "file" / "below" / "x.zip"):
        assert f"{tmp_path / 'file'} is no folder; choose another file with --to FILE" in refused(path)
    assert "'--to': it is empty" in refused("")
    shutil.copytree(sent.store.root, tmp_path / "results")
    (tmp_path / "results" / "runs" / run.run_id / "history.parquet").unlink()
    assert "is not sound" in refused(tmp_path / "new" / "folder" / "x.zip", tmp_path / "results")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "results"]


def test_what_is_no_file_says_what_to_give(sent: Sent, tmp_path: Path) -> None:
    for path, said in (
        (tmp_path, "a folder, no bundle; give the file that `xner-bench leaderboard bundle` wrote"),
        (tmp_path / "none.zip", "no such file; see how its name is written"),
        ("/dev/null", "not a plain file; save the bundle to one, and give that"),
    ):
        assert f"refused: {path}: {said}\n" in worlds.call("leaderboard", "verify", path, *sent.flags).out
    for command in ("verify", "merge"):
        assert "'FILE...': it is empty" in worlds.call("leaderboard", command, "").err


def test_counts_are_not_made_of_other_data(sent: Sent, tmp_path: Path) -> None:
    shutil.copytree(sent.world.folder, tmp_path / "world")
    shutil.copytree(sent.store.root, tmp_path / "results")
    own, store = worlds.Small(tmp_path / "world"), Store(tmp_path / "results")
    worlds.write_split(own.data, "sw", "test", worlds.corpus("sw", "other", 24))
    there = sent._replace(world=own)
    for run in sent.runs:
        (store.folder(run.run_id) / "sentence_counts.parquet").unlink()
    answer = worlds.call("leaderboard", "counts", "--results", store.root, *there.flags)
    assert answer.status == 2
    assert answer.out.count("is not the data that the run was tested on") == 2
    assert not list(store.root.rglob("sentence_counts.parquet"))
