"""Checkpoints come back as they were, go when nobody wants them, and are never there by half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tiny
import torch
from faults import files_no_larger_than

from xner_bench.checkpoints import Checkpoints
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
    assert (saved.epoch, saved.path.name) == (3, "epoch-3.safetensors")
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-2.safetensors", "epoch-4.safetensors"]
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
        pytest.raises(XnerError, match=r"cannot write checkpoint .*epoch-2\.safetensors: .*; free some space") as error,
        files_no_larger_than(1_000),
    ):
        checkpoints.save(tagger, 2)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.safetensors"]
    assert set(checkpoints.kept) == {1}
    checkpoints.kept[1].load(tagger)


def test_a_folder_that_cannot_be_made_is_said(tagger: Tagger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", "utf-8")
    with pytest.raises(XnerError, match="cannot write checkpoint"):
        Checkpoints(tmp_path / "file").save(tagger, 1)
    assert (tmp_path / "file").read_text("utf-8") == "in the way"
