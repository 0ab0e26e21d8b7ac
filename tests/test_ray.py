"""Jobs on a real Ray cluster of two nodes on this machine, whose workers and nodes die in the middle of runs."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import errands
import pytest
import small as worlds
from errands import Recorded, Remembering, alive, jobs, within

from xner_bench import executors, on_ray
from xner_bench.errors import XnerError
from xner_bench.executors import InSequence
from xner_bench.jobs import Job
from xner_bench.results import Store
from xner_bench.run import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.jobs import Outcome
    from xner_bench.watch import Watch

TESTS = str(Path(__file__).parent)
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed; pip install 'xner-bench[ray]'"
)
SIZE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
pytestmark = pytest.mark.enable_socket  # the nodes have this machine's address, not the loopback's
SEEDS = range(1, 6)
DRIVER = """
import sys
from pathlib import Path
import errands
from xner_bench import executors
from xner_bench.cli import board
jobs = errands.jobs(errands.linger, [(Path(sys.argv[1]),)] * 2)
list(executors.choose("ray", ray_address=sys.argv[2]).carry_out(jobs, board.board(False)))
"""


class Nodes(NamedTuple):
    """A cluster of a head and a second node, with room for one job each."""

    cluster: Any
    second: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Workers of the cluster find the jobs of `errands`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", TESTS)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={**SIZE, "include_dashboard": False})
        try:
            yield Nodes(cluster, cluster.add_node(**SIZE))
        finally:
            cluster.shutdown()


def every(nodes: Nodes, given: Sequence[Job], board: Any = None, **how: Any) -> list[Outcome]:
    """All outcomes in the order of the jobs."""
    executor = executors.choose("ray", ray_address=nodes.address, **how)
    return sorted(executor.carry_out(given, board or Remembering()), key=lambda outcome: outcome.index)


@needs_ray
def test_jobs_go_to_both_nodes_and_find_the_folder_of_the_command(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XNER_DATA_ROOT", "pool/data")
    monkeypatch.setenv("HF_TOKEN", "hush")
    board = Remembering()
    outcomes = every(nodes, jobs(errands.where, [()] * 6), board)
    assert len({outcome.value[0] for outcome in outcomes}) == 2
    for outcome in outcomes:
        _, folder, variables = outcome.value
        assert folder == str(tmp_path)
        assert (variables["XNER_DATA_ROOT"], variables["OMP_NUM_THREADS"]) == ("pool/data", "1")
        assert "HF_TOKEN" not in variables
    assert board.calls[0] == ("begin", 6)
    assert board.calls[-1] == ("end",)
    assert sorted(call[1] for call in board.calls if call[0] == "ended") == list(range(6))


@needs_ray
def test_runs_know_the_command_that_was_typed(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/xner-bench", "run", "--data-root", "pool"])
    (outcome,) = every(nodes, jobs(errands.typed, [()]))
    assert outcome.value == ["/bin/xner-bench", "run", "--data-root", "pool"]


@needs_ray
def test_what_somebody_else_does_comes_last(nodes: Nodes, tmp_path: Path) -> None:
    (outcome,) = every(nodes, jobs(errands.held_once, [(tmp_path / "seen",)]))
    assert (outcome.value, outcome.attempts) == ("well", 1)


@pytest.mark.parametrize(
    ("device", "has", "gpus"),
    [
        ("auto", {"CPU": 8.0}, 0),
        ("auto", {"GPU": 2.0}, 1),
        ("cpu", {"GPU": 2.0}, 0),
        ("cuda", {}, 1),
        ("cuda:0", {}, 1),
    ],
)
def test_a_job_that_may_take_a_gpu_asks_for_one(device: str, has: dict[str, float], gpus: float) -> None:
    assert on_ray.gpus_by_default(device, has) == gpus


@needs_ray
def test_failures_are_tried_again_only_if_asked(nodes: Nodes, tmp_path: Path) -> None:
    given = [*jobs(errands.complain, [("lr",)]), *jobs(errands.stumble, [()]), *jobs(errands.told, [()])]
    board = Remembering()
    mendable, bug, told = every(nodes, given, board)
    assert (mendable.error, mendable.traceback, mendable.attempts) == ("lr is wrong; mend it", None, 1)
    assert bug.error == "ZeroDivisionError: division by zero"
    assert bug.traceback is not None
    assert told.error is None
    kinds = [event[:2] for event in board.watches[2].events if event[0] != "advance"]
    assert kinds == [("stage", "outer"), ("stage", "inner"), ("note", "half way"), ("over", "inner"), ("over", "outer")]
    (again,) = every(nodes, [Job("once bad", errands.once_bad, (tmp_path / "seen", 0))], retry=1)
    assert again.value == "well"


@needs_ray
def test_tasks_end_with_their_driver(nodes: Nodes, tmp_path: Path) -> None:
    own = {**os.environ, "PYTHONPATH": TESTS}
    command = [sys.executable, "-c", DRIVER, str(tmp_path), nodes.address]
    driver = subprocess.Popen(command, env=own, stderr=subprocess.DEVNULL)
    assert within(30, lambda: len(list(tmp_path.iterdir())) == 2)
    driver.kill()
    driver.wait()
    assert within(15, lambda: not any(alive(int(path.name)) for path in tmp_path.iterdir()))


class Killing(Remembering):
    """A board that, once a job trains in a worker of a node, kills that worker; and removes the second node, once
    another job trains there."""

    def __init__(self, nodes: Nodes, notes: Path) -> None:
        super().__init__()
        self.nodes = nodes
        self.notes = notes
        self.killed: list[int] = []  # seeds
        self.removed: list[int] = []

    def watch(self, index: int) -> Watch:
        return self.watches.setdefault(index, Trigger(self, index))

    def training(self, index: int) -> None:
        """A run trains now."""
        seed = SEEDS[index]
        began = [path.name.split() for path in self.notes.glob(f"{seed} * began")]
        _, pid, node, _ = began[-1]
        if not self.killed:
            self.killed.append(seed)
            os.kill(int(pid), signal.SIGKILL)
        elif not self.removed and node == self.nodes.second.node_id:
            self.removed.append(seed)
            self.nodes.cluster.remove_node(self.nodes.second, allow_graceful=False)


class Trigger(Recorded):
    """Tells its board when a run trains."""

    def __init__(self, board: Killing, index: int) -> None:
        super().__init__()
        self._board = board
        self._index = index

    def stage(self, name: str, total: int) -> Any:
        if name == "training":
            self._board.training(self._index)
        return super().stage(name, total)


@needs_ray
def test_every_run_is_done_once_though_a_worker_and_a_node_die(nodes: Nodes, tmp_path: Path) -> None:
    """The last test on these nodes: one of them is gone afterwards."""
    small = worlds.build(tmp_path / "small")
    notes = tmp_path / "notes"
    notes.mkdir()
    settings = [small.settings(epochs=30, seed=seed) for seed in SEEDS]
    execution = small.execution(tmp_path / "shared")
    board = Killing(nodes, notes)
    given = [Job(f"seed {one.seed}", errands.noted_run, (notes, one, execution)) for one in settings]
    outcomes = every(nodes, given, board)
    assert [(outcome.error, outcome.value.state) for outcome in outcomes] == [(None, "done")] * len(SEEDS)
    assert len(board.killed) == len(board.removed) == 1
    assert sorted(path.name.split()[0] for path in notes.glob("* done")) == [str(seed) for seed in SEEDS]
    store = Store(tmp_path / "shared")
    assert sorted(one.settings.seed for one in store.runs()) == list(SEEDS)
    assert {one.state for one in store.runs()} == {"done"}
    hit = {*board.killed, *board.removed}
    for outcome in outcomes:
        assert outcome.attempts > 1 or outcome.value.settings.seed not in hit, outcome  # others may have been there too
    straight = Store(tmp_path / "straight")
    again = [Job("straight", run, (one, small.execution(straight.root))) for one in settings if one.seed in hit]
    for outcome in InSequence().carry_out(again, Remembering()):
        for table in ("scores", "predictions", "history"):
            assert store.table(outcome.value.run_id, table).equals(straight.table(outcome.value.run_id, table))


@needs_ray
def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(XnerError, match=r"no Ray cluster answers at 127\.0\.0\.1:1; "):
        list(executors.choose("ray", ray_address="127.0.0.1:1").carry_out([], Remembering()))


@needs_ray
def test_what_one_machine_has_no_room_for_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)  # a socket in it would have too long a path
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    executor = executors.choose("ray", gpus_per_run=64)
    with pytest.raises(XnerError, match=r"--gpus-per-run 64: this machine has \d+; give less, or --ray-address"):
        list(executor.carry_out(jobs(errands.square, [(1,)]), Remembering()))


def test_without_ray_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with suppress(KeyError):
        monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.setitem(sys.modules, "ray", None)  # type: ignore[arg-type]
    with pytest.raises(XnerError, match=r"pip install 'xner-bench\[ray\]'"):
        executors.choose("ray")
