"""Files are there whole or not at all."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from xner_bench import files

if TYPE_CHECKING:
    from pathlib import Path

# Rewrites a file for ever, each time with one letter all through.
REWRITER = """
import itertools, sys
from pathlib import Path
from xner_bench import files
for round, letter in enumerate(itertools.cycle(b"abcdef")):
    files.write_atomically(Path(sys.argv[1]), bytes([letter]) * 300_000)
    if not round:
        print("going", flush=True)
"""


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.txt"
    for data in (b"one", b"", b"two and more"):
        files.write_atomically(path, data)
        assert path.read_bytes() == data
        assert files.sha256(path) == hashlib.sha256(data).hexdigest()
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_atomically(path, b"old")
    with pytest.raises(TypeError):
        files.write_atomically(path, "text")  # type: ignore[arg-type]
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        files.write_atomically(tmp_path / "folder", b"a folder is in its place")
    with pytest.raises(OSError):
        files.write_atomically(path / "below", b"a file is in the folder's place")
    assert path.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.txt", "folder"]


def test_folders_go_again_unless_something_comes_into_them(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "two" / "three"
    for used in ("", "one/two/three/four", "one/four"):
        with files.made_for_use(folder):
            folder.mkdir(parents=True)
            if used:
                (tmp_path / used).touch()
        assert folder.exists() == used.endswith("three/four")
        assert (tmp_path / "one").exists() == bool(used)
        shutil.rmtree(tmp_path / "one", ignore_errors=True)
    (tmp_path / "one").touch()
    with pytest.raises(OSError), files.made_for_use(folder):
        folder.mkdir(parents=True)
    assert (tmp_path / "one").is_file()


def test_a_file_is_whole_however_its_writer_is_killed(tmp_path: Path) -> None:
    path, draw = tmp_path / "a.bin", random.Random(1)
    for _ in range(24):
        writer = subprocess.Popen([sys.executable, "-c", REWRITER, path], stdout=subprocess.PIPE)
        assert writer.stdout
        writer.stdout.readline()
        time.sleep(draw.uniform(0, 0.02))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        data = path.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
    left = [entry.name for entry in tmp_path.iterdir() if entry != path]
    assert all(name.startswith(".a.bin.") for name in left), "what a kill leaves behind is hidden and says whose it is"


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(files.CACHE_VARIABLE, str(tmp_path))
    assert files.cache_dir() == tmp_path
    monkeypatch.delenv(files.CACHE_VARIABLE)
    assert files.cache_dir().parts[-2:] == (".cache", "xner-bench")
    assert files.cache_dir().is_absolute()
