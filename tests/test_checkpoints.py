"""Checkpoints come back as they were, go when nobody wants them, and are never there by half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tiny
import torch
from faults import files_no_larger_than

from xner_bench import checkpoints as module
from xner_bench.checkpoints import Checkpoints, State
from xner_bench.errors import XnerError
from xner_bench.methods.slicer import Slicer

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.tagger import Tagger


@pytest.fixture
def tagger(encoders: tiny.Folders) -> Tagger:
    return tiny.tagger_for(encoders.load("xlmr"), Slicer(h=8))


def scramble(tagger: Tagger) -> None:
    with torch.no_grad():
        for parameter in tagger.parameters():
            parameter.normal_()


def test_a_checkpoint_brings_back_every_weight(tagger: Tagger, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    saved = Checkpoints(tmp_path / "new" / "epochs").save(tagger, 3)
    assert (saved.epoch, saved.path.parent.name) == (3, "epoch-3")
    scramble(tagger)
    saved.load(tagger)
    after = tagger.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_only_the_wanted_are_kept(tagger: Tagger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3, 4):
        checkpoints.save(tagger, epoch)
    checkpoints.keep_only({2, 4, 9})
    assert set(checkpoints.kept) == {2, 4}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-2", "epoch-4"]
    checkpoints.keep_only(())
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_the_same_epoch_takes_its_place(tagger: Tagger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(tagger, 1)
    scramble(tagger)
    wanted = tagger.head.as_linear().weight.clone()  # type: ignore[union-attr]
    checkpoints.save(tagger, 1)
    scramble(tagger)
    checkpoints.kept[1].load(tagger)
    assert torch.equal(tagger.head.as_linear().weight, wanted)  # type: ignore[union-attr]


def test_a_full_disk_leaves_nothing_and_says_so(tagger: Tagger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(tagger, 1)
    with (
        pytest.raises(XnerError, match=r"cannot write checkpoint .*epoch-2: .*; free some space") as error,
        files_no_larger_than(1_000),
    ):
        checkpoints.save(tagger, 2)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1"]
    assert set(checkpoints.kept) == {1}
    checkpoints.kept[1].load(tagger)


def test_a_folder_that_cannot_be_made_is_said(tagger: Tagger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(XnerError, match="cannot write checkpoint"):
        Checkpoints(tmp_path / "file").save(tagger, 1)
    assert (tmp_path / "file").read_text("utf-8") == "in the way"


def state(epoch: int) -> State:
    return State({"a": torch.full((3,), float(epoch)), "b": torch.arange(5)}, {"epoch": epoch, "rate": 1e-5 / 3})


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "epochs")
    checkpoints.save_state(1, state(1))
    tensors, facts = Checkpoints(tmp_path / "epochs").load_state(1)
    assert facts == {"epoch": 1, "rate": 1e-5 / 3}
    assert all(torch.equal(tensors[name], one) for name, one in state(1).tensors.items())


def test_the_last_two_states_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3, 4):
        checkpoints.save_state(epoch, state(epoch))
    assert list(checkpoints.states()) == [4, 3]


def test_the_means_of_the_last_two_epochs_are_kept(tagger: Tagger, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3, 4):
        scramble(tagger)
        checkpoints.save(tagger, epoch)
        checkpoints.save_mean(epoch)
        checkpoints.save_state(epoch, state(epoch))
        checkpoints.keep_only({epoch})
    names = {"epoch-4", "mean-3", "mean-4", "state-3", "state-4"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert checkpoints.mean(4).epoch == 0
    assert set(checkpoints.kept) == {4}, "methods get the weights of epochs alone"
    assert Checkpoints(tmp_path).mean(1).path.parent.name == "epoch-1", "of one epoch there is no mean but itself"


def damage(path: Path, how: str) -> None:
    """What disks and crashes do to a file."""
    data = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped"])
@pytest.mark.parametrize("name", ["tensors.safetensors", "facts.json", "complete.json"])
def test_a_damaged_state_is_never_read(tmp_path: Path, name: str, how: str) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save_state(1, state(1))
    damage(tmp_path / "state-1" / name, how)
    with pytest.raises(ValueError, match=r"state-1: .* is (missing|damaged)"):
        checkpoints.load_state(1)


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped"])
@pytest.mark.parametrize("name", ["tagger.safetensors", "complete.json"])
def test_damaged_weights_of_an_earlier_process_are_never_taken(
    tagger: Tagger, tmp_path: Path, name: str, how: str
) -> None:
    for epoch in (1, 2):
        Checkpoints(tmp_path).save(tagger, epoch)
    damage(tmp_path / "epoch-1" / name, how)
    later = Checkpoints(tmp_path)
    with pytest.raises(ValueError, match=r"epoch-1: .* is (missing|damaged)"):
        later.expect({1, 2})
    assert not later.kept
    later.expect({2})
    assert set(later.kept) == {2}


@pytest.mark.parametrize("how", ["missing", "cut", "empty", "flipped"])
@pytest.mark.parametrize("name", ["tagger.safetensors", "complete.json"])
def test_a_damaged_mean_of_an_earlier_process_is_never_taken(
    tagger: Tagger, tmp_path: Path, name: str, how: str
) -> None:
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2):
        checkpoints.save(tagger, epoch)
        checkpoints.save_mean(epoch)
    checkpoints.expect_mean(2)
    damage(tmp_path / "mean-2" / name, how)
    with pytest.raises(ValueError, match=r"mean-2: .* is (missing|damaged)"):
        checkpoints.expect_mean(2)
    checkpoints.expect_mean(1)


def test_a_state_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    Checkpoints(tmp_path).save_state(1, state(1))
    monkeypatch.undo()
    with pytest.raises(ValueError, match="another version"):
        Checkpoints(tmp_path).load_state(1)
