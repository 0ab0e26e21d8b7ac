"""Where jobs are carried out: in this process, in others on this machine (`processes.py`), or on Ray (`on_ray.py`)."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING

from xner_bench.attempts import PAUSE, Attempts, perform, under_way
from xner_bench.errors import UnknownName, XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xner_bench.jobs import Board, Executor, Job, Outcome

KINDS = ("local", "ray")


def choose(
    kind: str = "local",
    workers: int = 1,
    retry: int = 0,
    ray_address: str | None = None,
    gpus_per_run: float | None = None,
    cpus_per_run: float | None = None,
    device: str = "auto",
) -> Executor:
    """The executor that flags ask for; XnerError where they don't go together, or Ray is not here.

    `workers` is how many jobs are carried out at once; with Ray 1 means as many as the cluster has room for. A failed
    job is tried again `retry` times. Ray gives a job that may compute on a GPU, as `device` says, one for itself unless
    `gpus_per_run` says otherwise.
    """
    if kind not in KINDS:
        raise UnknownName("executor", kind, KINDS)
    _expect_numbers(workers, retry, gpus_per_run, cpus_per_run)
    if kind == "ray":
        from xner_bench.on_ray import OnRay

        limit = workers if workers > 1 else None
        return OnRay(retry, ray_address, cpus=cpus_per_run, gpus=gpus_per_run, limit=limit, device=device)
    of_ray = {"--ray-address": ray_address, "--gpus-per-run": gpus_per_run, "--cpus-per-run": cpus_per_run}
    if given := [flag for flag, value in of_ray.items() if value is not None]:
        raise XnerError(f"{given[0]} {of_ray[given[0]]} is for Ray; give --executor ray too, or leave it out")
    if workers == 1:
        return InSequence(retry)
    from xner_bench.processes import Processes

    return Processes(workers, retry)


def elsewhere(executor: Executor) -> bool:
    """Whether jobs may be carried out on other machines than this one."""
    return getattr(executor, "address", "local") != "local"


def _expect_numbers(workers: int, retry: int, gpus: float | None, cpus: float | None) -> None:
    if workers < 1:
        raise XnerError(f"--workers {workers}: give 1 or more")
    if retry < 0:
        raise XnerError(f"--retry {retry}: give 0 or more")
    for flag, share in (("--gpus-per-run", gpus), ("--cpus-per-run", cpus)):
        if share is not None and not (0 < share < 1 or (share >= 1 and float(share).is_integer())):
            raise XnerError(f"{flag} {share:g}: give a share of one, as 0.25, or a whole number")


class InSequence:
    """One job after another, in this process."""

    def __init__(self, retry: int = 0) -> None:
        self.retry = retry

    def carry_out(self, jobs: Sequence[Job], board: Board) -> Iterator[Outcome]:
        """See `Executor`."""
        with under_way(jobs, board):
            attempts = Attempts(jobs, board, self.retry)
            while attempts.waiting:
                index = attempts.next()
                if index is None:
                    sleep(PAUSE)
                    continue
                attempts.started(index)
                yield from attempts.end(index, perform(jobs[index], board.watch(index)))
