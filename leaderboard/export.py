"""A kept checkpoint as a folder to share: the transformers files, the model card, and the run's record."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from xner_bench import files, sound
from xner_bench.errors import XnerError
from xner_bench.leaderboard import modelcard, public
from xner_bench.protocol import PROTOCOLS, true

if TYPE_CHECKING:
    from collections.abc import Callable

    from xner_bench.catalogue import Catalogue
    from xner_bench.results import Run, Store

CARD, RECORD = "README.md", "run.json"
PLACES = ("_name_or_path", "name_or_path")  # where transformers may say what folder something was loaded from
TOLD = ("config.json", "tokenizer_config.json")


def export(store: Store, run: Run, catalogue: Catalogue, folder: Path, again: Callable[[], str]) -> list[Path]:
    """Write the folder, which must be new or empty. `again` makes the command that would keep the checkpoint.

    Raises XnerError where the run kept none, or where it is damaged, or where the folder cannot be written.
    """
    checkpoint = _checkpoint(store, run, again)
    card = modelcard.card(run, store.table(run.run_id, "scores"), _answers(store, run), catalogue)
    record = json.dumps(public.record(run), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    _check_free(folder)
    try:
        _write(checkpoint, {CARD: card, RECORD: record}, folder)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise XnerError(f"cannot export to {folder}: {reason}; choose another folder with --to DIR") from error
    return sorted(folder.iterdir())


def _checkpoint(store: Store, run: Run, again: Callable[[], str]) -> Path:
    folder = store.folder(run.run_id) / "checkpoint"
    if run.state != "done":
        raise XnerError(
            f"run {run.run_id} is {run.state}, not done: there is nothing to export; see `xner-bench status`"
        )
    if not run.checkpoint_kept:
        raise XnerError(f"run {run.run_id} kept no checkpoint; do it again with: {again()}")
    if problem := sound.checkpoint_problem(folder):
        raise XnerError(f"{folder}: {problem}; do the run again with: {again()} --overwrite always")
    return folder


def _answers(store: Store, run: Run) -> str:
    """The protocol that the kept checkpoint answers: the suite's TRUE one, `last` where that has no answer."""
    chosen = store.selection(run.run_id)["selection"]
    wanted = run.settings.true_protocol
    kept = true(chosen, wanted)
    names = (wanted, *PROTOCOLS) if chosen.get(wanted) else PROTOCOLS
    return next(name for name in names if kept in set((chosen.get(name) or {}).values()))


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise XnerError(f"{folder} is no folder; choose another with --to DIR")
    if folder.is_dir() and (first := min((path.name for path in folder.iterdir()), default=None)):
        raise XnerError(f"{folder} is not empty (it has {first!r}); give a folder that is new or empty")


def _write(checkpoint: Path, texts: dict[str, str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:80]}."))
    try:
        for path in sorted(checkpoint.iterdir()):
            if path.is_file() and not path.is_symlink():
                shutil.copyfile(path, part / path.name)
        for name in TOLD:
            _without_places(part / name)
        for name, text in texts.items():
            files.write_atomically(part / name, text.encode("utf-8", "replace"))
        part.chmod(0o755)  # mkdtemp lets nobody else in
        part.replace(folder)
        files.sync_folder(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _without_places(path: Path) -> None:
    if not path.is_file():
        return
    told = json.loads(path.read_bytes())
    kept = {name: value for name, value in told.items() if name not in PLACES}
    if kept != told:
        files.write_atomically(path, (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode())
