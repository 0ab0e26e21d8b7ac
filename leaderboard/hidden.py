"""Secrets out of what is said: whatever a library, git or a server answers, no message repeats a token."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

STARS = "***"
SHORTEST = 6  # of what an address asks with: shorter is no secret, and stands in words
VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN")
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"(?<=\w)\?[^\s'\"#?]*=[^\s'\"#]*")  # of an address: names and values
TOKENS = re.compile(r"\b(?:hf_|gh[a-z]_|github_pat_|glpat-)[A-Za-z0-9_-]{8,}")


def hide(text: str, secrets: Iterable[str | None] = ()) -> str:
    """Text without these secrets, those of the environment, who logs in to an address, and what looks like a token."""
    known = {*secrets, *(os.environ.get(name) for name in VARIABLES)}
    for secret in sorted((one for one in known if one), key=len, reverse=True):
        text = text.replace(secret, STARS)
    return TOKENS.sub(STARS, _QUERY.sub(f"?{STARS}", _USERINFO.sub(f"{STARS}@", text)))


def secrets_of(address: str) -> tuple[str, ...]:
    """What an address of a repository says in confidence: `user:token` of https://user:token@host, its parts, and what
    stands behind a question mark."""
    found = _USERINFO.search(address)
    userinfo = found[0].rstrip("@") if found else ""
    user, _, password = userinfo.partition(":")
    own = [userinfo, password] if password else [user]
    own += [value for _, value in parse_qsl(urlsplit(address).query) if len(value) >= SHORTEST]
    return tuple(dict.fromkeys(part for one in own for part in (one, unquote(one)) if part))
