"""What a store holds: the records that can be read, those that cannot, and how far each run is.

One damaged record hides no other. Whoever reads a store for people reads it here, and says `complaint` about the rest.
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from xner_bench import identity
from xner_bench.errors import UnknownName, XnerError
from xner_bench.results import Run, State, Store, read_run
from xner_bench.settings import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# How far a run is: its state, where `started` says whether some process still carries it out.
Phase = Literal["done", "running", "interrupted", "stopped", "failed", "diverged"]
PHASES: tuple[Phase, ...] = get_args(Phase)
STATES: tuple[State, ...] = get_args(State)


# unreadable: damaged, not for us to read, or of another version. misplaced: in another run's folder, so that its run is
# there twice or cannot be found. contradictory: not what its id stands for.
Loss = Literal["unreadable", "misplaced", "contradictory"]
ADVICE = "`xner-bench results check` says what to do"


class Unreadable(NamedTuple):
    """A record that this version cannot read, or that is not to be relied on."""

    path: Path
    problem: str  # one line
    schema: int | None = None  # of a record that another version wrote; None: damaged
    kind: Loss = "unreadable"

    @property
    def run_id(self) -> str:
        return self.path.parent.name


class Records(NamedTuple):
    """All records of a store, by id."""

    runs: tuple[Run, ...]
    unreadable: tuple[Unreadable, ...]


def read(store: Store) -> Records:
    """Every record of a store; one that vanishes meanwhile is left out."""
    return read_all(paths(store))


def read_all(listed: Iterable[Path]) -> Records:
    """The records in some files."""
    runs: list[Run] = []
    unreadable: list[Unreadable] = []
    for path in listed:
        try:
            run = read_run(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable.append(Unreadable(path, f"{path}: cannot be read: {(error.strerror or str(error)).lower()}"))
        except XnerError as error:
            unreadable.append(_unreadable(path, str(error)))
        else:
            if run.run_id == path.parent.name:
                runs.append(run)
            else:
                problem = f"{path}: this is the record of {run.run_id}, in another folder than its own; {ADVICE}"
                unreadable.append(Unreadable(path, problem, kind="misplaced"))
    return Records(tuple(runs), tuple(unreadable))


def contradictory(store: Store, runs: Iterable[Run]) -> list[Unreadable]:
    """Records that are not what their ids stand for: somebody has changed them."""
    changed = [store.folder(run.run_id) / "run.json" for run in runs if identity.numbers_of(run) is None]
    said = f"its ids are not those of what it says; {ADVICE}"
    return [Unreadable(path, f"{path}: {said}", kind="contradictory") for path in changed]


def paths(store: Store, pattern: str = "*") -> list[Path]:
    """The records of a store, or those of the runs whose ids are such, by id: also those that we may not read."""
    return [path for folder in folders(store, pattern) if _there(path := folder / "run.json")]


def folders(store: Store, pattern: str = "*") -> list[Path]:
    """The folders of the runs, by id. XnerError where we may not see them."""
    runs = store.root / "runs"
    try:
        with os.scandir(runs) as listed:
            names = [one.name for one in listed if one.name[0] != "." and fnmatch(one.name, pattern) and _folder(one)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise XnerError(f"{runs}: cannot be read: {reason}; see to the permissions there") from error
    return [runs / name for name in sorted(names)]


def _folder(entry: os.DirEntry[str]) -> bool:
    """Also a link that leads nowhere because it leads to itself: its record cannot be read, which is said."""
    try:
        return entry.is_dir()
    except OSError:
        return True


def _there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:  # nobody here can tell
        return True
    return True


def _unreadable(path: Path, error: str) -> Unreadable:
    """What the error says of the file; of a damaged one, without what to do where there is only that one."""
    version = other_schema(path)
    return Unreadable(path, error if version is not None else f"{error.partition(';')[0]}; {ADVICE}", version)


def other_schema(path: Path, own: int = SCHEMA) -> int | None:
    """The schema of a record, of this kind, that another version of this program wrote."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    version = record.get("schema_version") if isinstance(record, dict) else None
    return version if isinstance(version, int) and version != own else None


def complaint(unreadable: Sequence[Unreadable]) -> str | None:
    """One line about records that are left out; None where there are none."""
    if not unreadable:
        return None
    first = unreadable[0].problem
    if len(unreadable) == 1:
        return f"left out: {first}"
    return f"{len(unreadable)} records are left out, the first of them: {first}"


def phase(store: Store, run: Run) -> Phase:
    """How far a run is, as far as the store can tell."""
    if run.state != "started":
        return run.state
    return "running" if store.held(run.run_id) else "interrupted"


def took(run: Run) -> float:
    """Seconds of a run; early records have those on dev twice."""
    twice = run.seconds.get("dev", 0.0) if "training and dev" in run.seconds else 0.0
    return sum(run.seconds.values()) - twice


def find(store: Store, given: str) -> Run:
    """The run with this id, or with an id or a hash in it that begins so. XnerError where there are several or none."""
    names = [path.parent.name for path in paths(store)]
    near = [given] if given in names else [name for name in names if _begins(name, given)]
    if not near:
        raise UnknownName("run", given, _alike(names, given), f"in {store.root}; `xner-bench runs` lists all")
    if len(near) > 1:
        more = f" and {len(near) - 4} more" if len(near) > 4 else ""
        raise XnerError(f"{len(near)} runs begin with {given!r}: {', '.join(near[:4])}{more}; give a longer part")
    return store.run(near[0])


def _begins(name: str, given: str) -> bool:
    """`slicer-quick-s42-0123456789ab` is meant by slicer-quick-s42-01 as well as by 0123."""
    return bool(given) and (name.startswith(given) or name.rpartition("-")[2].startswith(given))


def _alike(names: Sequence[str], given: str) -> list[str]:
    """A few names to offer."""
    from difflib import get_close_matches

    return get_close_matches(given, names, n=3, cutoff=0.5) or list(names[:3])
