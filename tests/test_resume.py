"""A run that was killed goes on, and ends with the same bits as one that was not."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import killing
import pytest
import small as worlds
import tiny
import torch
from small import Small, call
from test_checkpoints import damage

from xner_bench import device, methods, resume
from xner_bench.checkpoints import Checkpoints
from xner_bench.methods.slicer import Slicer
from xner_bench.methods.standard import Standard
from xner_bench.results import Held, Run, Store
from xner_bench.run import Stop, objective, run
from xner_bench.train import Fit
from xner_bench.vocabulary import compact
from xner_bench.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from xner_bench.method import Method
    from xner_bench.tagger import Tagger

EPOCHS = 4


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def straight(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted; read only."""
    results = tmp_path_factory.mktemp("straight")
    assert call(*argv(small, results)).status == 0
    return only(results)


def argv(small: Small, results: Path) -> list[str]:
    return small.argv(results, "--keep-checkpoint", method="slicer")


def only(results: Path) -> Path:
    (folder,) = (path for path in (results / "runs").iterdir() if path.is_dir())
    return folder


def same(folder: Path, other: Path) -> None:
    """Tables, selection and weights are equal, and nothing else is left."""
    assert killing.difference(folder, other) == ""


class Notes(Watch):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def stopping(at: int) -> Callable[[int, float | None, bool], None]:
    def after_epoch(epoch: int, score: float | None, further: bool) -> None:
        if epoch >= at and not further:
            raise Stop("enough")

    return after_epoch


def record(folder: Path) -> Run:
    return Run.model_validate_json((folder / "run.json").read_bytes())


def stopped(small: Small, results: Path, at: int, **changes: Any) -> Run:
    """A run that stands at the end of an epoch."""
    settings = small.settings("slicer", **changes)
    done = run(settings, small.execution(results, keep_checkpoint=True), after_epoch=stopping(at))
    assert (done.state, done.error) == ("stopped", "enough")
    return done


@pytest.mark.parametrize("changed", [{}, {"clip": 0.1}, {"subword_labels": "all"}, {"warmup": 0.0}])
@pytest.mark.parametrize("method", [Standard(), Slicer(h=4, classifier="frozen")], ids=["standard", "slicer"])
@pytest.mark.parametrize("kind", ["bert", "xlmr"])
def test_training_that_goes_on_gives_the_same_bits(
    kind: str, method: Method, changed: dict[str, Any], encoders: tiny.Folders, tmp_path: Path
) -> None:
    """Through the disk into another tagger: weights, losses, rates; a compact vocabulary and how far others decayed."""

    def made() -> tuple[Tagger, Fit]:
        encoder = encoders.load(kind)
        tagger = tiny.tagger_for(encoder, method)
        corpus = tiny.encode.encode(tiny.corpus(3, 24), tiny.subwords(encoder))
        assert compact(encoder.transformer, corpus.ids, tagger.layout, encoder.room)
        return tagger, Fit(tagger, method, corpus, tiny.gold(corpus), tiny.training(epochs=4, **changed), 7)

    tagger, fit = made()
    wanted = list(fit)
    first, half = made()
    taken = [next(iter(half)) for _ in range(2)]
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(first, 2)
    checkpoints.save_state(2, half.state())
    torch.manual_seed(0)
    second, rest = made()
    checkpoints.kept[2].load(second)
    rest.restore(checkpoints.load_state(2))
    assert [*taken, *rest] == wanted
    left, right = tagger.state_dict(), second.state_dict()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("at", range(1, EPOCHS + 1))
def test_a_run_goes_on_from_any_epoch(small: Small, straight: Path, tmp_path: Path, at: int) -> None:
    left = stopped(small, tmp_path, at)
    notes, heard = Notes(), []
    done = run(
        small.settings("slicer"),
        small.execution(tmp_path, keep_checkpoint=True),
        notes,
        after_epoch=lambda *told: heard.append(told),
    )
    assert done.run_id == left.run_id
    assert f"going on after epoch {at} of {EPOCHS}" in notes.said
    assert [epoch for epoch, _, _ in heard] == list(range(1, EPOCHS + 1))  # also of those that were done before
    assert [epoch for epoch, _, further in heard if further] == list(range(1, at))
    assert heard[-1][1] == objective(Store(tmp_path), done)
    assert done.resumed == (f"after epoch {at}",)
    same(only(tmp_path), straight)


@pytest.mark.parametrize("how", ["missing", "cut", "flipped"])
@pytest.mark.parametrize(
    "name",
    [
        *("state-3/tensors.safetensors", "state-3/facts.json", "state-3/complete.json"),
        *("epoch-3/tagger.safetensors", "epoch-3/complete.json"),
        *("mean-3/tagger.safetensors", "mean-3/complete.json"),
    ],
)
def test_a_damaged_checkpoint_falls_back_and_says_so(
    small: Small, straight: Path, tmp_path: Path, name: str, how: str
) -> None:
    stopped(small, tmp_path, 3)
    damage(only(tmp_path) / "epochs" / name, how)
    notes = Notes()
    run(small.settings("slicer"), small.execution(tmp_path, keep_checkpoint=True), notes)
    folder = name.partition("/")[0]
    assert any(f"{folder}: " in said and "going back to what was before it" in said for said in notes.said)
    assert f"going on after epoch 2 of {EPOCHS}" in notes.said
    same(only(tmp_path), straight)


def test_without_any_whole_checkpoint_a_run_begins_again(small: Small, straight: Path, tmp_path: Path) -> None:
    stopped(small, tmp_path, 3)
    for state in (2, 3):
        damage(only(tmp_path) / "epochs" / f"state-{state}" / "facts.json", "cut")
    notes = Notes()
    run(small.settings("slicer"), small.execution(tmp_path, keep_checkpoint=True), notes)
    assert not any(said.startswith("going on after") for said in notes.said)
    same(only(tmp_path), straight)


def test_a_run_that_kept_no_mean_begins_again_and_says_so(small: Small, straight: Path, tmp_path: Path) -> None:
    """Versions before the protocol `average` kept none."""
    stopped(small, tmp_path, 3)
    for folder in (only(tmp_path) / "epochs").glob("mean-*"):
        shutil.rmtree(folder)
    notes = Notes()
    run(small.settings("slicer"), small.execution(tmp_path, keep_checkpoint=True), notes)
    assert sum("is missing (versions without the protocol average kept none)" in said for said in notes.said) == 2
    assert not any(said.startswith("going on after") for said in notes.said)
    same(only(tmp_path), straight)


def test_other_code_of_the_method_is_not_gone_on_with(
    small: Small, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(resume, "code", lambda work: "before the mend")
        stopped(small, tmp_path, 2)
    notes = Notes()
    run(small.settings("slicer"), small.execution(tmp_path, keep_checkpoint=True), notes)
    assert any("was trained by other code of this method" in said for said in notes.said)
    same(only(tmp_path), straight)


def test_weights_that_do_not_fit_are_told_and_the_run_begins_again(
    small: Small, straight: Path, encoders: tiny.Folders, tmp_path: Path
) -> None:
    stopped(small, tmp_path, 2)
    Checkpoints(only(tmp_path) / "epochs").save(tiny.tagger_for(encoders.load("bert")), 2)
    notes = Notes()
    run(small.settings("slicer"), small.execution(tmp_path, keep_checkpoint=True), notes)
    assert any("epoch 2 does not fit" in said and "begins again" in said for said in notes.said)
    same(only(tmp_path), straight)


def test_random_numbers_of_a_device_that_was_not_there_are_left_alone() -> None:
    """A run that began on a CPU goes on on a GPU, and the other way round."""
    state = device.random_state(torch.device("cpu"))
    drawn = torch.rand(3)
    device.set_random_state(torch.device("meta"), state)
    assert torch.equal(torch.rand(3), drawn)
    device.set_random_state(torch.device("cpu"), {**state, "random.device": torch.zeros(16, dtype=torch.uint8)})
    assert torch.equal(torch.rand(3), drawn)


def test_a_done_run_that_is_stopped_when_it_is_done_again_stays_done(small: Small, tmp_path: Path) -> None:
    settings = small.settings("slicer")
    run(settings, small.execution(tmp_path))
    before = {path.name: path.read_bytes() for path in only(tmp_path).iterdir()}
    again = run(settings, small.execution(tmp_path, keep_checkpoint=True), after_epoch=stopping(2))
    assert again.state == "stopped"
    assert {path.name: path.read_bytes() for path in only(tmp_path).iterdir() if path.is_file()} == before
    notes = Notes()
    assert run(settings, small.execution(tmp_path, keep_checkpoint=True), notes).state == "done"
    assert f"going on after epoch 2 of {EPOCHS}" in notes.said


@pytest.mark.parametrize("failing", ["predictions", "history"])
def test_a_done_run_that_fails_when_it_is_done_again_keeps_every_file(
    small: Small, tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small.settings("slicer")
    run(settings, small.execution(tmp_path))
    before = {path.name: path.read_bytes() for path in only(tmp_path).iterdir()}
    save = Store.save_table

    def failing_save(store: Store, run_id: str, name: str, *rest: Any) -> None:
        if name.endswith(failing):
            raise RuntimeError("out of luck")
        save(store, run_id, name, *rest)

    monkeypatch.setattr(Store, "save_table", failing_save)
    with pytest.raises(RuntimeError, match="out of luck"):
        run(settings, small.execution(tmp_path, overwrite="always"))
    assert {path.name: path.read_bytes() for path in only(tmp_path).iterdir() if path.is_file()} == before
    assert not (only(tmp_path) / ".again").exists()


def test_whoever_does_not_wait_is_told_that_a_run_is_held(small: Small, tmp_path: Path) -> None:
    settings, said = small.settings(), []

    def meanwhile(*_: object) -> None:
        with pytest.raises(Held, match="another process carries out standard-small-s42-"):
            run(settings, small.execution(tmp_path), wait=False)
        said.append("held")

    assert run(settings, small.execution(tmp_path), after_epoch=meanwhile).state == "done"
    assert said == ["held"] * EPOCHS


def test_another_number_of_threads_is_said(small: Small, tmp_path: Path) -> None:
    stopped(small, tmp_path, 1)
    notes = Notes()
    before = torch.get_num_threads()
    try:
        run(small.settings("slicer"), small.execution(tmp_path, threads=before + 1), notes)
    finally:
        torch.set_num_threads(before)
    changed = f"threads {before} before, {before + 1} now"
    assert any(changed in said for said in notes.said)
    assert record(only(tmp_path)).resumed == (f"after epoch 1, {changed}",)  # also where nobody reads notes


def test_always_begins_anew_and_never_leaves_what_failed(small: Small, straight: Path, tmp_path: Path) -> None:
    stopped(small, tmp_path, 2)
    notes = Notes()
    settings = small.settings("slicer")
    run(settings, small.execution(tmp_path, keep_checkpoint=True, overwrite="always"), notes)
    assert not any(said.startswith("going on after") for said in notes.said)
    same(only(tmp_path), straight)
    store = Store(tmp_path)
    store.save_run(next(store.runs()).model_copy(update={"state": "failed"}))
    assert run(settings, small.execution(tmp_path, overwrite="never")).state == "failed"
    assert run(settings, small.execution(tmp_path)).state == "done"


def test_a_run_that_diverged_is_not_tried_again_by_itself(small: Small, tmp_path: Path) -> None:
    settings = small.settings(lr=1e20)
    assert run(settings, small.execution(tmp_path)).state == "diverged"
    notes = Notes()
    assert run(settings, small.execution(tmp_path), notes).state == "diverged"
    assert any("already diverged" in said for said in notes.said)
    assert not (only(tmp_path) / "epochs").exists()


def test_a_full_disk_costs_no_epoch_that_was_done(small: Small, straight: Path, tmp_path: Path) -> None:
    stopped(small, tmp_path, 2)
    blocked = only(tmp_path) / "epochs" / ".epoch-3.part"
    blocked.write_text("in the way", "utf-8")  # what a disk that refuses to write comes to
    answer = call(*argv(small, tmp_path))
    assert answer.status == 2
    assert "cannot write checkpoint" in answer.err
    blocked.unlink()
    notes = Notes()
    run(small.settings("slicer"), small.execution(tmp_path, keep_checkpoint=True), notes)
    assert f"going on after epoch 2 of {EPOCHS}" in notes.said
    same(only(tmp_path), straight)


def test_what_a_kill_left_half_written_is_gone_in_the_end(small: Small, straight: Path, tmp_path: Path) -> None:
    stopped(small, tmp_path, 2)
    (only(tmp_path) / ".run.json.abcdefgh").write_text('{"run_id": "sl', "utf-8")
    (only(tmp_path) / ".checkpoint.part").mkdir()
    (only(tmp_path) / "epochs" / ".epoch-3.part").mkdir()
    assert call(*argv(small, tmp_path)).status == 0
    same(only(tmp_path), straight)


def test_a_run_is_held_while_it_is_under_way(small: Small, tmp_path: Path) -> None:
    held = []
    store = Store(tmp_path)
    done = run(
        small.settings(), small.execution(tmp_path), after_epoch=lambda *_: held.append(store.held(only(tmp_path).name))
    )
    assert held == [True] * EPOCHS
    assert not store.held(done.run_id)
    assert not store.held("never heard of")


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_any_moment_ends_with_the_same_bits(
    small: Small, straight: Path, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    if not killing.kill_after(argv(small, tmp_path), draw.uniform(0, 0.8), tmp_path):
        pytest.skip("it was done before the kill")
    answer = killing.start(argv(small, tmp_path))
    assert answer.communicate(timeout=120)[1] == ""
    same(only(tmp_path), straight)


@pytest.fixture(scope="module")
def events(small: Small, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often a whole run touches its checkpoints."""
    return killing.events(argv(small, tmp_path_factory.mktemp("counted")))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.97])
def test_a_kill_within_the_writing_of_a_checkpoint_costs_nothing(
    small: Small, straight: Path, events: int, tmp_path: Path, part: float
) -> None:
    """tests/faults/kill.py tries every moment."""
    killed = killing.kill_at_event(argv(small, tmp_path), max(1, round(events * part)))
    assert killed.returncode == -9
    again = subprocess.Popen.communicate(killing.start(argv(small, tmp_path)), timeout=120)
    assert again[1] == ""
    same(only(tmp_path), straight)
    shutil.rmtree(tmp_path)


def test_a_record_that_somebody_changed_is_not_taken_for_the_run(small: Small, straight: Path, tmp_path: Path) -> None:
    shutil.copytree(straight.parents[1], tmp_path / "results")
    path = only(tmp_path / "results") / "run.json"
    path.write_text(path.read_text("utf-8").replace('"lr": 0.01', '"lr": 0.02'), "utf-8")
    answer = call(*argv(small, tmp_path / "results"))
    assert (answer.status, answer.out) == (2, "")
    assert f"{path}: its settings are not those that its id stands for" in answer.err
    assert call(*argv(small, tmp_path / "results"), "--overwrite", "always").status == 0
    same(only(tmp_path / "results"), straight)


def test_the_code_of_a_method_is_what_it_imports_of_its_package(tmp_path: Path) -> None:
    """Not its neighbours, and nothing of other packages."""
    texts = {
        "mine": "from pack import sums\nimport pack.plain\nfrom other.mine import x\n",
        "sums": "def f():\n    from .deep import g\n    from pack.sums import f\n",
        "plain": "import os\n",
        "deep": "",
        "neighbour": "from pack import mine\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    found = resume.imported(tmp_path / "mine.py", "pack")
    assert {path.stem for path in found} == {"mine", "sums", "plain", "deep"}
    here = Path(str(methods.__file__)).parent
    pruning = {path.stem for path in resume.imported(here / "prune.py", "xner_bench.methods")}
    assert {"prune", "gradual", "pruning", "magnitude", "pruned_table"} == pruning
