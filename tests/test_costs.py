"""What an entry costs: means over its runs, and nothing where one of them does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from boards import Bench

from xner_bench.leaderboard import board, costs, markdown
from xner_bench.memory import Meter

if TYPE_CHECKING:
    from pathlib import Path

    from xner_bench.results import Run

CPU = {"device": "cpu", "threads": 2, "gpu": None}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def spent(bench: Bench, run: Run, provenance: dict[str, Any], **told: Any) -> None:
    bench.store.save_run(run.model_copy(update={"provenance": provenance, **told}))


def cost(bench: Bench) -> costs.Cost:
    (section,) = board.build(bench.store, bench.catalogue)
    (line,) = section.lines
    return costs.cost(line)


def test_costs_are_means_over_the_runs(bench: Bench) -> None:
    for seed, seconds, memory in ((1, 1800.0, 1024.0), (2, 5400.0, 3072.0)):
        spent(bench, bench.add(seed=seed), CPU, seconds={"training": seconds - 1, "test": 1.0}, peak_memory=memory)
    found = cost(bench)
    assert (found.seconds, found.memory, found.gpu_memory, found.reason) == (3600.0, 2048.0, None, "")
    wanted = (0.5 * (24 + 0.3725) + 1.5 * (24 + 3 * 0.3725)) / 2  # watt hours
    assert found.energy == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"peak_memory": 100.0}, "its time is not known"),
        ({"seconds": {"training": 9.0}}, "its peak memory is not known"),
        (
            {"seconds": {"training": 9.0}, "peak_memory": 1.0, "provenance": {"device": "mps"}},
            "the power of its device is",
        ),
        (
            {"seconds": {"training": 9.0}, "peak_memory": 1.0, "provenance": {"gpu": "Abacus 1"}},
            "the power of Abacus 1 is",
        ),
    ],
)
def test_what_one_run_does_not_say_is_left_out_with_the_reason(bench: Bench, told: dict[str, Any], reason: str) -> None:
    spent(bench, bench.add(seed=1), CPU, seconds={"training": 1.0}, peak_memory=1.0)
    spent(bench, bench.add(seed=2), **{"provenance": CPU, **told})
    found = cost(bench)
    assert found.energy is None
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("gpu", "watts"),
    [
        ("NVIDIA A100-SXM4-40GB", 400),
        ("NVIDIA A100-PCIE-40GB", 250),
        ("NVIDIA A100 80GB PCIe", 300),
        ("NVIDIA H100 PCIe", 350),
        ("NVIDIA H200", 700),
        ("NVIDIA H200 NVL", 600),
        ("Tesla P100-SXM2-16GB", 300),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("Tesla T4", 70),
        ("NVIDIA T400 4GB", None),
        ("NVIDIA L4", 72),
        ("NVIDIA L40S", 350),
    ],
)
def test_a_gpu_is_known_by_whole_words_of_its_name(bench: Bench, gpu: str, watts: float | None) -> None:
    run = bench.add().model_copy(update={"provenance": {"device": "cuda:0", "gpu": gpu, "threads": 8}})
    assert costs.power(run) == watts


def test_the_board_says_the_formula_and_what_is_missing(bench: Bench) -> None:
    spent(bench, bench.add(), CPU, seconds={"training": 100.0})
    text = markdown.leaderboard(board.build(bench.store, bench.catalogue))
    assert "hours x \\(power of the device \\+ 0.3725 W x GiB of peak memory\\)" in text
    assert "| standard | mini | 100 | – | – | – |" in text
    assert "- standard\\: no energy\\: its peak memory is not known" in text


def test_runs_without_times_have_no_costs(bench: Bench) -> None:
    bench.add()
    assert "Costs" not in markdown.leaderboard(board.build(bench.store, bench.catalogue))


def test_the_peak_of_memory_is_since_the_meter_was_made() -> None:
    import torch

    device = torch.device("cpu")
    first = Meter(device).peak()
    if first.resident is None:
        pytest.skip("the system does not say how much memory a process took at most since some moment")
    before = Meter(device)
    block = bytearray(b"x") * (200 << 20)
    during = before.peak().resident
    del block
    after = Meter(device).peak().resident
    assert during is not None
    assert after is not None
    assert during - first.resident > 150
    assert during - after > 150
    assert first.gpu is None
