"""Jobs on Ray, on this machine or a cluster: each is a task of Ray's, which places it where there is room.

Ray does a task again when its worker or its node dies. That is harmless: a run holds a lock while it is under way, goes
on from its last epoch, and is found when it is done already. (With --overwrite always it begins anew.) Results lie in a
folder that all machines share.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple

from xner_bench.attempts import PAUSE, Attempts, Ending, failure, perform, terminable, under_way
from xner_bench.errors import XnerError
from xner_bench.relay import Relay, Replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xner_bench.jobs import Board, Job, Outcome
    from xner_bench.relay import Event

DEATHS = 10  # of workers and nodes under one job, before it counts as failed
FLIGHT = 10_000  # tasks that Ray is told of at once: more than any cluster has room for, few enough to look through
PATIENCE = 0.5  # seconds between two looks at what jobs tell
AT_DOOR = 10.0  # seconds for the cluster to answer
MESSAGES = 200  # a second about progress, of all jobs together; a driver can listen to some thousand
STORE = 100 * 2**20  # bytes of Ray's store of objects on this machine; ours are small
BEGAN = "began"  # the first event of a task, with the name of its node
VARIABLES = ("XNER_", "HF_", "TRANSFORMERS_")  # of the environment, wanted on every node
SECRETS = ("TOKEN", "SECRET", "PASSWORD", "KEY")


class OnRay:
    """As many jobs at once as there is room for, or at most `limit`; `cpus` and `gpus` are what each needs.

    Ray leaves all GPUs of a machine in sight of a job that asked for none, and every one would take the first. So a job
    that may compute on one, as `device` says, asks for it.
    """

    def __init__(
        self,
        retry: int = 0,
        address: str | None = None,
        *,
        cpus: float | None = None,
        gpus: float | None = None,
        limit: int | None = None,
        device: str = "auto",
    ) -> None:
        if find_spec("ray") is None:
            raise XnerError("--executor ray needs Ray, which is not here; pip install 'xner-bench[ray]'")
        self.retry = retry
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"
        self.cpus = cpus or 1
        self.gpus = gpus
        self.device = device
        self.limit = limit or FLIGHT

    def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
        """See `Executor`."""
        with under_way(jobs, board), connected(self.address), terminable():  # which Ray's connection sets aside
            needs = self.needs()
            expect_room(needs, self.address)
            flight = Flight(Attempts(jobs, board, self.retry), needs)
            try:
                while flight.more(self.limit):
                    yield from flight.landed()
            finally:
                flight.cancel()

    def needs(self) -> dict[str, float]:
        """What each job asks for, of the Ray that there is a connection to."""
        import ray

        gpus = gpus_by_default(self.device, ray.cluster_resources()) if self.gpus is None else self.gpus
        return {"num_cpus": self.cpus, "num_gpus": gpus}


def gpus_by_default(device: str, has: Mapping[str, float]) -> float:
    """GPUs of a job if nobody says how many."""
    wanted = device == "auto" and has.get("GPU", 0) > 0
    return 1 if wanted or device.startswith("cuda") else 0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to Ray: the one that there is, or one that ends with this."""
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A socket's path has 107 bytes at most, and Ray adds 60 to its folder, which is else in whatever TMPDIR says.
    folder = tempfile.mkdtemp(prefix="xner-", dir="/tmp") if address == "local" else None
    own: dict[str, Any] = {"_temp_dir": folder, "object_store_memory": STORE, "include_dashboard": False}
    try:
        connect(address, own if folder else {})
        yield
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def connect(address: str, own: dict[str, Any]) -> None:
    """Start Ray here, or find the cluster; `own` is for the former."""
    import ray

    try:
        knock(address)
        ray.init(address, log_to_driver=False, logging_level="warning", **own)
    except (OSError, ValueError) as error:
        raise XnerError(f"no Ray cluster answers at {address}; see `ray status`, or leave out --ray-address") from error


def knock(address: str) -> None:
    """Raise OSError where nobody listens; Ray itself would look for minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in address and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=AT_DOOR).close()


def expect_room(needs: dict[str, float], address: str) -> None:
    """Say at once that a job would wait for ever. A cluster may still grow; one machine does not."""
    import ray

    if address != "local":
        return
    has = ray.cluster_resources()
    for name, need in (("CPU", needs["num_cpus"]), ("GPU", needs["num_gpus"])):
        if need > has.get(name, 0):
            flag = f"--{name.lower()}s-per-run"
            raise XnerError(f"{flag} {need:g}: this machine has {has.get(name, 0):g}; give less, or --ray-address")


class Flight:
    """The tasks that Ray knows of, what they tell and how they end."""

    def __init__(self, attempts: Attempts, needs: dict[str, float]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._attempts = attempts
        self._gatherer = ray.remote(Gatherer).options(num_cpus=0, scheduling_strategy=here).remote()
        self._task = ray.remote(max_retries=DEATHS, **needs)(perform_there)
        self._place = Place.here()
        self._every = max(1.0, len(attempts.jobs) / MESSAGES)
        self._tasks: dict[Any, int] = {}  # reference -> index of the job
        self._replays: dict[int, Replay] = {}

    def more(self, limit: int) -> bool:
        """Hand over further jobs while there are fewer than `limit`; whether any is left to wait for."""
        while len(self._tasks) < limit and (index := self._attempts.next()) is not None:
            self._replays[index] = Replay(self._attempts.board.watch(index))
            job = self._attempts.jobs[index]
            named = self._task.options(name=job.name)
            self._tasks[named.remote(job.packed(), self._place, self._every, index, self._gatherer)] = index
        return bool(self._tasks or self._attempts.waiting)

    def landed(self) -> Iterator[Outcome]:
        """Wait a moment; show what jobs told, and yield what ended."""
        import ray

        tasks = list(self._tasks)
        if not tasks:  # what is left is done by somebody else
            sleep(PAUSE)
            return
        ready, _ = ray.wait(tasks, num_returns=1, timeout=PATIENCE, fetch_local=False)
        if ready:  # others may have ended meanwhile
            ready, _ = ray.wait(tasks, num_returns=len(tasks), timeout=0, fetch_local=False)
        for index, event in ray.get(self._gatherer.take.remote()):
            self._hear(index, event)
        for task in ready:
            index = self._tasks.pop(task)
            self._replays.pop(index).close()
            yield from self._attempts.end(index, ending(task))

    def _hear(self, index: int, event: Event) -> None:
        """A task that begins anew has lost its worker or node."""
        if index not in self._replays:
            return  # it ended, and was told of in another order
        if event[0] != BEGAN:
            self._replays[index].hear(event)
            return
        self._replays[index].close()
        self._attempts.started(index)
        self._replays[index] = Replay(self._attempts.board.watch(index))

    def cancel(self) -> None:
        """End what is under way."""
        import ray

        for task in self._tasks:
            ray.cancel(task, force=True)
        ray.kill(self._gatherer)


def ending(task: Any) -> Ending:
    """How a task ended; one that Ray gave up is a failure without a traceback."""
    import ray

    try:
        found: Ending = ray.get(task)
    except ray.exceptions.RayError as error:
        return Ending(error=f"Ray gave it up: {type(error).__name__}: {str(error).strip().splitlines()[0]}")
    return found


class Gatherer:
    """An actor beside the driver: keeps what jobs tell until the driver asks."""

    def __init__(self) -> None:
        self._told: list[tuple[int, Event]] = []

    def tell(self, index: int, event: Event) -> None:
        self._told.append((index, event))

    def take(self) -> list[tuple[int, Event]]:
        told, self._told = self._told, []
        return told


class Place(NamedTuple):
    """What a job finds around it where the command was given, and must find on every node."""

    folder: str
    variables: dict[str, str]
    version: str
    command: tuple[str, ...]  # as it was typed, for the records of runs

    @classmethod
    def here(cls) -> Place:
        """That of this process. Tokens stay here: fetch what needs them before."""
        wanted = {name: value for name, value in os.environ.items() if name.startswith(VARIABLES)}
        public = {name: value for name, value in wanted.items() if not any(part in name for part in SECRETS)}
        return cls(str(Path.cwd()), public, version("xner-bench"), tuple(sys.argv))

    def enter(self) -> None:
        """Make it that of this process."""
        node, own = socket.gethostname(), version("xner-bench")
        if own != self.version:
            raise XnerError(f"node {node} has xner-bench {own}, the driver {self.version}; install the same on all")
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise XnerError(
                f"node {node} has no folder {self.folder}; give the command in one that all machines share"
            ) from error
        os.environ.update(self.variables)
        sys.argv = [*self.command]


def perform_there(packed: bytes, place: Place, every: float, index: int, gatherer: Any) -> Ending:
    """Do a job on the node that Ray chose; its failures are told, not raised, so that Ray repeats only deaths."""

    def tell(event: Event) -> None:
        gatherer.tell.remote(index, event)

    tell((BEGAN, socket.gethostname()))
    try:
        place.enter()
        job: Job = ForkingPickler.loads(packed)
    except Exception as error:
        return failure(error)
    return perform(job, Relay(tell, every))
