"""The hub on loopback: a real HTTP server with the hub's paths and headers, over files given as bytes.

    with HubServer({"datasets/owner/name": {"am/test-00000-of-00001.parquet": data}}) as hub:
        ...  # HF_ENDPOINT=hub.address

A repository's key is `datasets/OWNER/NAME`, or `OWNER/NAME` for a model. All refs stand for its one commit,
`hub.commits[key]`, until a `push`. `hub.requests` lists what was asked, as `METHOD path`. As a program,
`python hubserver.py FOLDER` serves FOLDER/<key>/<file> and prints its address.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]
LARGE = (".parquet", ".safetensors", ".bin")


class _Commit(NamedTuple):
    commit: str
    files: Files


class HubServer:
    """Serves while its context is open."""

    def __init__(self, repositories: dict[str, Files], refs: tuple[str, ...] = ("main", "refs/convert/parquet")):
        self.repositories = repositories
        self.refs = refs
        self.commits = {key: hashlib.sha1(key.encode()).hexdigest() for key in repositories}
        self.history: dict[str, Files] = {}  # former commit -> its files
        self.requests: list[str] = []
        self.broken: set[str] = set()  # paths that are sent with a flipped last byte
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def push(self, key: str, changed: Files) -> None:
        """A new commit. The old one stays what it was."""
        old = self.commits[key]
        self.history[old] = self.repositories[key]
        self.repositories[key] = {**self.repositories[key], **changed}
        self.commits[key] = hashlib.sha1(f"{old}{sorted(changed)}".encode()).hexdigest()

    def serve(self) -> None:
        self._server.serve_forever()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_HubHandler):
        pass

    Handler.hub = hub
    return Handler


class _HubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append(f"{self.command} /{path}")
        if path.startswith("api/"):
            self._api(path.removeprefix("api/").removeprefix("models/"))
        else:
            self._resolve(path)

    def _api(self, path: str) -> None:
        """`[datasets/]OWNER/NAME[/revision/REV | /tree/REV[/FOLDER]]`."""
        key = self._key(path)
        kind, _, rest = path.removeprefix(f"{key}").strip("/").partition("/")
        found = self._at(key, rest or "main") if key else None
        if not key or not found:
            self._missing("RevisionNotFound" if key else "RepoNotFound")
        elif kind == "tree":
            self._tree(*found)
        else:
            at, _ = found
            siblings = [{"rfilename": name, **_facts(name, data)} for name, data in at.files.items()]
            name = key.removeprefix("datasets/")
            self._json({"id": name, "sha": at.commit, "siblings": siblings, "tags": []})

    def _tree(self, at: _Commit, folder: str) -> None:
        """All files in a folder and below it."""
        below = {name: data for name, data in at.files.items() if not folder or name.startswith(f"{folder}/")}
        if below:
            self._json([{"type": "file", "path": name, **_facts(name, data)} for name, data in below.items()])
        else:
            self._missing("EntryNotFound")

    def _resolve(self, path: str) -> None:
        """`[datasets/]OWNER/NAME/resolve/REV/FILE`."""
        key = self._key(path)
        found = self._at(key, path.removeprefix(f"{key}/resolve/")) if key else None
        if not key or not found:
            self._missing("RevisionNotFound" if key else "RepoNotFound")
        elif found[1] not in found[0].files:
            self._missing("EntryNotFound", {"X-Repo-Commit": found[0].commit})
        else:
            self._file(*found)

    def _file(self, at: _Commit, name: str) -> None:
        data = at.files[name]
        headers = {"X-Repo-Commit": at.commit, "ETag": f'"{_etag(name, data)}"', "Accept-Ranges": "bytes"}
        if name.endswith(LARGE):
            headers |= {"X-Linked-Etag": f'"{_etag(name, data)}"', "X-Linked-Size": str(len(data))}
        if name in self.hub.broken:
            data = data[:-1] + bytes([data[-1] ^ 1])
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(206 if start else 200, data[start:], {"Content-Type": "application/octet-stream", **headers})

    def _key(self, path: str) -> str | None:
        return next((key for key in self.hub.repositories if f"{path}/".startswith(f"{key}/")), None)

    def _at(self, key: str, rest: str) -> tuple[_Commit, str] | None:
        """`REV[/PATH]` -> the commit and the path; a REV may hold slashes."""
        parts = rest.split("/")
        for cut in range(1, len(parts) + 1):
            if commit := self._commit(key, "/".join(parts[:cut])):
                return commit, "/".join(parts[cut:])
        return None

    def _commit(self, key: str, revision: str) -> _Commit | None:
        commit = self.hub.commits[key]
        if revision in (*self.hub.refs, commit):
            return _Commit(commit, self.hub.repositories[key])
        return _Commit(revision, self.hub.history[revision]) if revision in self.hub.history else None

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _missing(self, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(404, b"{}", {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _facts(name: str, data: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"size": len(data), "blobId": _blob(data), "oid": _blob(data)}
    if name.endswith(LARGE):
        digest = hashlib.sha256(data).hexdigest()
        facts["lfs"] = {"sha256": digest, "oid": digest, "size": len(data), "pointerSize": 130}
    return facts


def _etag(name: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if name.endswith(LARGE) else _blob(data)


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _repositories(folder: Path) -> dict[str, Files]:
    """FOLDER/OWNER/NAME/... are models, FOLDER/datasets/OWNER/NAME/... data sets."""
    found: dict[str, Files] = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        parts = path.relative_to(folder).parts
        depth = 3 if parts[0] == "datasets" else 2
        found.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = path.read_bytes()
    return found


if __name__ == "__main__":
    server = HubServer(_repositories(Path(sys.argv[1])))
    print(server.address, flush=True)
    server.serve()
