"""The program git, run so that nothing of where one stands leads it astray: no question, no hook, no terminal.

Of git's own variables and of the repository around those count that say who one is and how one gets there.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from xner_bench.errors import XnerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Of git's own variables those that say who and how one gets there; others (GIT_DIR, GIT_TRACE, ...) stay out.
# And GIT_CONFIG_*, which is how a workflow passes settings on.
KEPT = frozenset(
    (
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
        *("GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
    )
)
LOCAL = r"^(http|credential|url|user|author|committer)\.|^core\.sshcommand$"


def run(
    folder: Path, *words: str, settings: Mapping[str, str] | None = None, data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git there: no question is asked, no hook is run, and settings are not seen in the list of processes.

    `Path()` is where one is, also where that was deleted.
    """
    command = ("git", "-c", "core.hooksPath=/dev/null", *words)
    try:
        return subprocess.run(
            command,
            cwd=folder,
            env=_environment(settings or {}),
            input=data or b"",
            capture_output=True,
            check=False,
            start_new_session=True,  # without a terminal, on which ssh would ask
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise XnerError("there is no program git here; install it, or publish to a folder with --to DIR") from error


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _is_kept(name)}
    kept |= {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never", "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    given = kept.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    for at, (name, value) in enumerate(settings.items(), first):
        kept |= {f"GIT_CONFIG_KEY_{at}": name, f"GIT_CONFIG_VALUE_{at}": value}
    return {**kept, "GIT_CONFIG_COUNT": str(first + len(settings))}


def _is_kept(name: str) -> bool:
    return name in KEPT or name.startswith("GIT_CONFIG_")


def local_settings() -> Iterator[tuple[str, str]]:
    """Who and how, of the repository that one is in; its address rewritings and logins hold for the publication too."""
    words = ("config", "--local", "--includes", "--null", "--get-regexp", LOCAL)
    for item in run(Path(), *words).stdout.decode("utf-8", "surrogateescape").split("\0"):
        name, _, value = item.partition("\n")
        if name:
            yield name, value
