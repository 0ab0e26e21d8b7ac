"""Bundles into a results folder: what is verified, run by run, or nothing at all where something is not.

What is stored is written anew from what was read, not copied. It is what was verified: counts of profiles that do not
follow from stored predictions stay behind. The record says which file the run came in. In what order the files are
given decides nothing: of a run that is in several of them the one with most profiles is taken.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xner_bench import files
from xner_bench.errors import XnerError
from xner_bench.leaderboard import rescore, unpack, verify_bundle
from xner_bench.leaderboard.archive import Refused
from xner_bench.results import Held, Store, cannot_write, parse_selection
from xner_bench.verify import FEW_SHOT, ORPHANS
from xner_bench.watch import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from xner_bench.catalogue import Catalogue
    from xner_bench.leaderboard.owndata import Data
    from xner_bench.leaderboard.unpack import Submitted
    from xner_bench.leaderboard.verify_bundle import Verdict
    from xner_bench.settings import Profile
    from xner_bench.watch import Watch

SUBMISSION = "submission"  # in the provenance: the sha256 of the bundle
LATER = (*FEW_SHOT, *ORPHANS)  # not every run has these


@dataclass
class Outcome:
    """What becomes of a merge."""

    verdicts: list[Verdict] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # files, or runs in them, that cannot be read
    conflicts: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)  # run ids
    there: list[str] = field(default_factory=list)  # with the same results already
    offered: dict[str, set[Profile]] = field(default_factory=dict)  # run id -> profiles that some file decides
    behind: list[str] = field(default_factory=list)  # profiles of these that the store has not got

    @property
    def right(self) -> bool:
        """Whether all of it can be taken."""
        return not self.refused and not self.conflicts and all(one.verified for one in self.verdicts)


def read(
    paths: Iterable[Path], data: Data, known: Catalogue, outcome: Outcome, watch: Watch = SILENT
) -> Iterator[tuple[Submitted, str]]:
    """Verify every run of some bundles; those that are verified are given out, with their bundle's sha256."""
    for path in paths:
        try:
            with unpack.opened(path) as bundle, watch.stage(f"verifying {path.name}", len(bundle.run_ids)) as advance:
                for run_id in bundle.run_ids:
                    try:
                        found = bundle.read(run_id)
                    except Refused as error:
                        outcome.refused.append(f"{path}: {error}")
                        continue
                    verdict = verify_bundle.check(found, data, known)
                    outcome.verdicts.append(verdict)
                    if verdict.verified:
                        yield found, bundle.sha256
                    advance(1, run_id)
        except Refused as error:
            outcome.refused.append(str(error))


def merge(paths: Iterable[Path], store: Store, data: Data, known: Catalogue, watch: Watch = SILENT) -> Outcome:
    """Add the runs of some bundles to a store: all of them, or none where one is refused or in conflict.

    Raises XnerError where the store cannot be written.
    """
    outcome = Outcome()
    with _staging(store) as staged:
        for found, sha256 in read(paths, data, known, outcome, watch):
            _stage(staged, store, found, sha256, outcome)
        if outcome.right:
            _place(staged, store, outcome)
    if outcome.right:
        outcome.behind += _behind(store, outcome.offered)
    return outcome


@contextmanager
def _staging(store: Store) -> Iterator[Store]:
    """A store beside the runs, for what is to come among them."""
    runs = store.root / "runs"
    with files.made_for_use(runs):
        store.probe()
        folder = Path(tempfile.mkdtemp(dir=runs, prefix=".merge-", suffix=".part"))
        try:
            yield Store(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _stage(staged: Store, store: Store, found: Submitted, sha256: str, outcome: Outcome) -> None:
    """Write a run, unless it is there, or an earlier file has as much of it."""
    run_id = found.run.run_id
    outcome.offered.setdefault(run_id, set()).update(verify_bundle.decided(found))
    there = not _free(store.folder(run_id))
    again = not there and not _free(staged.folder(run_id))
    if (there or again) and (problem := _conflict(store if there else staged, found)):
        where = f"it is in {store.folder(run_id)} already" if there else "it is in an earlier file"
        outcome.conflicts.append(f"{run_id}: {where}{problem}")
    elif there:
        outcome.there.append(run_id)
    elif not again or _more(found, sha256, staged):
        shutil.rmtree(staged.folder(run_id), ignore_errors=True)
        write(staged, found, sha256)


def _more(found: Submitted, sha256: str, staged: Store) -> bool:
    """Whether a run has more profiles than what is staged of it, or more tables; of equal ones the hash decides."""
    run_id = found.run.run_id
    run, tables = staged.run(run_id), list(staged.folder(run_id).glob("*.parquet"))
    last = len(run.settings.profiles), len(tables), run.provenance[SUBMISSION]
    profiles = verify_bundle.decided(found)
    return (len(profiles), len(_kept(found.tables, profiles)), sha256) > last


def _free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def write(staged: Store, found: Submitted, sha256: str) -> None:
    """Write the verified part of a run as a run of a store."""
    run = found.run
    profiles = verify_bundle.decided(found)
    settings = run.settings.model_copy(update={"profiles": profiles})
    provenance = {**run.provenance, SUBMISSION: sha256}
    changes = {"settings": settings, "provenance": provenance, "checkpoint_kept": False}
    text = json.dumps({"dev": found.dev, "selection": found.selection}, indent=1, sort_keys=True) + "\n"
    staged.write(run.run_id, "selection.json", text.encode())
    for name, table in _kept(found.tables, profiles).items():
        staged.write(run.run_id, f"{name}.parquet", _parquet(table))
    staged.save_run(run.model_copy(update=changes))


def _kept(tables: Mapping[str, pa.Table], profiles: Sequence[Profile]) -> dict[str, pa.Table]:
    """Tables with the counts of these profiles alone; no orphans where none of these says whether they are right."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(profiles, pa.string())
    told = set(profiles) > {rescore.EXACT}
    return {
        name: table.filter(pc.is_in(table["profile"], wanted)) if "profile" in table.column_names else table
        for name, table in tables.items()
        if told or name not in ORPHANS
    }


def _parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks(), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _conflict(store: Store, found: Submitted) -> str:
    """How a run that is there differs from a submitted one, as the end of a sentence; empty where it does not.

    Compared is what both have: either may have fewer profiles, or be too old to have orphans.
    """
    run_id = found.run.run_id
    where = store.folder(run_id)
    try:
        here = store.run(run_id)
        if here.state != "done":
            return f", and {here.state}; finish it, or move it away"
        names = ["scores", "predictions"]
        names += [one for one in LATER if one in found.tables and (where / f"{one}.parquet").exists()]
        profiles = [name for name in verify_bundle.decided(found) if name in here.settings.profiles]
        own = _kept({name: store.table(run_id, name) for name in names}, profiles)
        chosen = parse_selection((where / "selection.json").read_bytes())
    except (XnerError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return f", and cannot be read ({error})"
    sent = _kept({name: found.tables[name] for name in names}, profiles)
    other = [f"{name}.parquet" for name in own if not _same(own[name], sent[name])]
    if chosen != (found.dev, found.selection):
        other.append("selection.json")
    return f", with another {', another '.join(other)}; move one away" if other else ""


def _same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables have the same rows, in whatever order."""
    if one.schema.names != other.schema.names or one.num_rows != other.num_rows:
        return False
    by: list[Any] = [(name, "ascending") for name in one.schema.names]
    same: bool = one.sort_by(by).replace_schema_metadata(None).equals(other.sort_by(by).replace_schema_metadata(None))
    return same


def _place(staged: Store, store: Store, outcome: Outcome) -> None:
    """Put the staged runs among the others, each whole; none where one of them is under way or came meanwhile."""
    run_ids = sorted(path.name for path in (staged.root / "runs").glob("*") if path.is_dir())
    with ExitStack() as locks:
        for run_id in run_ids:
            try:
                locks.enter_context(store.lock(run_id, wait=False))
            except Held as error:
                outcome.conflicts.append(str(error))
        busy = [run_id for run_id in run_ids if not _free(store.folder(run_id))]
        outcome.conflicts += [f"{run_id}: it came to {store.root} just now; merge again" for run_id in busy]
        if outcome.conflicts:
            return
        for run_id in run_ids:
            try:
                staged.folder(run_id).rename(store.folder(run_id))
            except OSError as error:
                raise cannot_write(store.folder(run_id), error) from error
            outcome.added.append(run_id)
        if run_ids:
            files.sync_folder(store.root / "runs")


def _behind(store: Store, offered: Mapping[str, set[Profile]]) -> Iterator[str]:
    """Profiles that a file had of a run, and the store has not."""
    for run_id, profiles in sorted(offered.items()):
        if lacking := sorted(profiles.difference(store.run(run_id).settings.profiles)):
            said = f"it is in {store.folder(run_id)} without {', '.join(lacking)}"
            yield f"{run_id}: {said}; move it away, and merge the file that has them"
