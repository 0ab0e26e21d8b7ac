"""The protocol `average`: the mean of all epochs' weights, in every run, whatever the method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boards
import pyarrow.parquet as pq
import pytest
import small as worlds
import tiny
import torch
from boards import Bench
from safetensors.torch import load_file
from small import Small

from xner_bench.checkpoints import Checkpoints
from xner_bench.leaderboard import board, legend
from xner_bench.mean import grown
from xner_bench.methods.slicer import Slicer
from xner_bench.methods.standard import Standard
from xner_bench.results import Store
from xner_bench.run import objective, run
from xner_bench.train import Fit
from xner_bench.vocabulary import CompactEmbedding, compact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from xner_bench.checkpoints import Checkpoint
    from xner_bench.encoder import Encoder
    from xner_bench.tagger import Tagger

EPOCHS = 4
LANGUAGES = {"en", "sw", "no"}
TARGETS = {f"villages:{language}" for language in LANGUAGES}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return worlds.build(tmp_path_factory.mktemp("small"))


def near(found: Tensor, every: Tensor) -> bool:
    """Whether it is the mean of so many epochs' weights, as nearly as `grown` says."""
    error = (found.double() - every.double().mean(0)).abs()
    allowed = 1.001 * (len(every) + 9) / 2 * 2**-24 * every.double().abs().amax(0)
    return bool((error <= allowed).all())


@pytest.mark.parametrize("epochs", [2, 3, 10, 60])
def test_a_mean_that_grows_is_as_near_as_it_says(epochs: int) -> None:
    draw = torch.Generator().manual_seed(epochs)
    every = torch.randn(epochs, 10_000, generator=draw) + 10 * torch.randn(10_000, generator=draw)
    found = {"w": every[0]}
    for epoch in range(2, epochs + 1):
        found = grown(found, {"w": every[epoch - 1]}, epoch)
    assert near(found["w"], every)


def test_the_mean_of_equal_weights_is_these_weights() -> None:
    weights = {"w": torch.randn(1_000, generator=torch.Generator().manual_seed(1)), "f": torch.rand(()).double()}
    found = weights
    for epoch in range(2, 40):
        found = grown(found, weights, epoch)
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_what_is_no_number_to_average_is_the_last_epochs() -> None:
    first = {"mask": torch.tensor([True, False]), "count": torch.tensor(3), "half": torch.ones(2, dtype=torch.bfloat16)}
    last = {"mask": torch.tensor([False, False]), "count": torch.tensor(8), "half": torch.full_like(first["half"], 2)}
    found = grown(first, last, 2)
    assert (found["mask"].tolist(), found["count"].item()) == ([False, False], 8)
    assert (found["half"].dtype, found["half"].tolist()) == (torch.float32, [1.5, 1.5])


def table(encoder: Encoder) -> Tensor:
    """All rows of the embedding as they stand."""
    own = encoder.transformer.get_input_embeddings()
    weight: Tensor = (own.whole() if isinstance(own, CompactEmbedding) else own).weight
    return weight.detach().clone()


@pytest.mark.parametrize("whole", [False, True], ids=["compact", "whole"])
def test_the_mean_is_that_of_every_epochs_weights(whole: bool, encoders: tiny.Folders, tmp_path: Path) -> None:
    encoder = encoders.load("xlmr")
    tagger = tiny.tagger_for(encoder, Slicer(h=8))
    corpus = tiny.encode.encode(tiny.corpus(3, 24), tiny.subwords(encoder))
    assert whole or compact(encoder.transformer, corpus.ids, tagger.layout, encoder.room)
    training = tiny.training(epochs=5, lr=1e-2, weight_decay=0.5)
    fit, checkpoints = Fit(tagger, Slicer(h=8), corpus, tiny.gold(corpus), training, 7), Checkpoints(tmp_path)
    states, tables = [], []
    for _ in fit:
        checkpoints.save(tagger, fit.epoch)
        checkpoints.save_mean(fit.epoch)
        states.append({name: tensor.clone() for name, tensor in tagger.state_dict().items()})
        tables.append(table(encoder))
    checkpoints.mean(5).load(tagger)
    for name, found in tagger.state_dict().items():
        assert near(found, torch.stack([state[name] for state in states])), name
    torch.testing.assert_close(table(encoder), torch.stack(tables).mean(0), rtol=1e-6, atol=1e-7)
    assert not torch.allclose(tables[0], tables[-1], rtol=0.01)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return found


def plain_mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([state[name].double() for state in states]).mean(0) for name in states[0]}


def test_every_target_is_scored_by_the_mean(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a method that ends with the plain mean of its epochs: what it does last is what `average` does."""

    def finish(self: Standard, tagger: Tagger, checkpoints: Sequence[Checkpoint]) -> None:
        assert [one.epoch for one in checkpoints] == [1, 2, 3, 4]
        tagger.load_state_dict(plain_mean([load_file(one.path) for one in checkpoints]))

    monkeypatch.setattr(Standard, "finish", finish)
    store = Store(tmp_path)
    done = run(small.settings(), small.execution(tmp_path))
    chosen = store.selection(done.run_id)["selection"]
    assert chosen["average"] == dict.fromkeys(TARGETS, 0)
    assert chosen["last"] == dict.fromkeys(TARGETS, EPOCHS + 1)
    counts: dict[str, dict[tuple[Any, ...], tuple[int, ...]]] = {"average": {}, "last": {}, "source-dev": {}}
    for row in rows(store.folder(done.run_id), "scores"):
        if row["protocol"] in counts:
            cell = row["language"], row["profile"], row["type"]
            counts[row["protocol"]][cell] = (row["tp"], row["fp"], row["fn"])
    assert {language for language, *_ in counts["average"]} == LANGUAGES
    assert counts["average"] == counts["last"]
    spans: dict[int, list[tuple[Any, ...]]] = {0: [], EPOCHS + 1: []}
    for row in rows(store.folder(done.run_id), "predictions"):
        if row["checkpoint"] in spans:
            spans[row["checkpoint"]].append(tuple(value for name, value in row.items() if name != "checkpoint"))
    assert spans[0] == spans[EPOCHS + 1] != []


@pytest.mark.parametrize(("epochs", "times"), [(EPOCHS, 1), (1, 0)])
def test_a_method_hears_of_the_mean(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int, times: int
) -> None:
    heard = []
    monkeypatch.setattr(Standard, "settle", lambda self, tagger: heard.append(tagger))
    assert run(small.settings(epochs=epochs), small.execution(tmp_path)).state == "done"
    assert len(heard) == times


def test_the_mean_of_one_epoch_is_that_epoch(small: Small, tmp_path: Path) -> None:
    done = run(small.settings(epochs=1), small.execution(tmp_path))
    chosen = Store(tmp_path).selection(done.run_id)["selection"]
    assert chosen["average"] == chosen["last"] == dict.fromkeys(TARGETS, 1)
    predicted = rows(Store(tmp_path).folder(done.run_id), "predictions")
    assert {row["checkpoint"] for row in predicted} == {1}, "nothing is tagged twice"
    scored = rows(Store(tmp_path).folder(done.run_id), "scores")
    assert sum(row["protocol"] == "average" for row in scored) == len(TARGETS) * 2


def test_where_average_is_true_the_mean_is_kept_and_the_last_epoch_judges_it(small: Small, tmp_path: Path) -> None:
    settings = small.settings().model_copy(update={"true_protocol": "average"})
    states = []

    def after_epoch(epoch: int, score: float | None, further: bool) -> None:
        (path,) = tmp_path.glob(f"runs/*/epochs/epoch-{epoch}/tagger.safetensors")
        states.append({name: tensor.clone() for name, tensor in load_file(path).items()})

    done = run(settings, small.execution(tmp_path, keep_checkpoint=True), after_epoch=after_epoch)
    kept = load_file(Store(tmp_path).folder(done.run_id) / "checkpoint" / "model.safetensors")
    ours = {name.replace("bert.", "transformer.").replace("classifier.", "head.linear."): name for name in kept}
    assert {*ours} >= {name for name in states[0] if name.endswith(("weight", "bias"))}
    for name, theirs in ours.items():
        every = torch.stack([state[name] for state in states])
        assert "word_embeddings" in name or near(kept[theirs], every), name
    assert objective(Store(tmp_path), done) == Store(tmp_path).selection(done.run_id)["dev"][EPOCHS]["villages:en"]


def test_what_was_not_scored_is_said_and_what_average_is_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    bench.add("standard")
    (before,) = board.build(bench.store, bench.catalogue)
    assert "average" not in legend.protocols_text(before)
    monkeypatch.setattr(boards, "PROTOCOLS", (*boards.PROTOCOLS, "average"))
    bench.add("slicer", options={"h": 8, "classifier": "trained", "bias": "per_slice"})
    (section,) = board.build(bench.store, bench.catalogue)
    reasons = {line.method: line.rows["one:ab", "average"].reason for line in section.lines}
    assert reasons == {"standard": "not scored", "slicer": ""}
    assert " average: the mean of the weights at all epochs' ends, " in legend.protocols_text(section)
    path = bench.cards / "suites" / "toy.yaml"
    path.write_text(path.read_text("utf-8").replace("true_protocol: last", "true_protocol: average"), "utf-8")
    bench.reload()
    (section,) = board.build(bench.store, bench.catalogue)
    assert legend.protocols_text(section).startswith("TRUE zero-shot: the mean of the weights at all epochs' ends. ")
    assert [line.method for line in section.lines] == ["slicer", "standard"], "ranked by what is TRUE"
