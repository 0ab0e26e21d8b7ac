"""The hub on loopback, to upload to: repositories are made, commits are taken, large files are stored.

    with UploadServer() as hub:
        ...  # HF_ENDPOINT=hub.address
        hub.repositories["datasets/owner/name"]  # path -> bytes, after the commits

`hub.commits_taken` lists the commits as (key, header, operations), `hub.tokens` every Authorization header that came.
`hub.refusal` is a status that commits are answered with; `hub.large` the ends of names that go to large file storage.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from hubserver import Files, HubServer, _HubHandler


class UploadServer(HubServer):
    """Serves while its context is open; what is pushed is there at once."""

    def __init__(self, repositories: dict[str, Files] | None = None):
        super().__init__(repositories or {})
        self.commits_taken: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = []
        self.tokens: list[str] = []
        self.large: tuple[str, ...] = ()
        self.stored: dict[str, bytes] = {}
        self.refusal = 0
        self._server.RequestHandlerClass = type("Uploads", (_Uploads,), {"hub": self})

    def take(self, key: str, header: dict[str, Any], operations: list[dict[str, Any]]) -> None:
        """Carry a commit out."""
        self.commits_taken.append((key, header, operations))
        found = dict(self.repositories[key])
        for one in operations:
            value = one["value"]
            if one["key"] == "file":
                found[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                found[value["path"]] = self.stored[value["oid"]]
            else:
                del found[value["path"]]
        self.history[self.commits[key]] = self.repositories[key]
        self.repositories[key] = found
        self.commits[key] = hashlib.sha1(f"{self.commits[key]}{sorted(found)}".encode()).hexdigest()


class _Uploads(_HubHandler):
    hub: UploadServer

    def do_GET(self) -> None:
        self.hub.tokens.append(self.headers.get("Authorization", ""))
        super().do_GET()

    def do_POST(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        self.hub.requests.append(f"POST /{path}")
        self.hub.tokens.append(self.headers.get("Authorization", ""))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self._chunks()
        key = "/".join(path.removeprefix("api/").split("/")[:3])
        if path == "api/repos/create":
            self._create(json.loads(body))
        elif path == "api/validate-yaml":
            self._json({"warnings": [], "errors": []})
        elif "/preupload/" in path:
            self._json({"files": [self._mode(one) for one in json.loads(body)["files"]]})
        elif path.endswith("objects/batch"):
            self._json({"transfer": "basic", "objects": [self._slot(one) for one in json.loads(body)["objects"]]})
        elif self.hub.refusal:
            self._send(self.hub.refusal, b'{"error": "no: %s"}' % self.hub.tokens[-1].encode(), {})
        elif "/commit/" in path:
            self._commit_to(key, [json.loads(line) for line in body.splitlines()])
        else:
            self._missing("EntryNotFound")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.hub.stored[hashlib.sha256(body).hexdigest()] = body
        self._send(200, b"", {})

    def _chunks(self) -> bytes:
        """A body without a length."""
        found = b""
        while "chunked" in self.headers.get("Transfer-Encoding", ""):
            size = int(self.rfile.readline(), 16)
            found += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return found

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        key = f"datasets/{name}"
        self.hub.repositories[key] = {".gitattributes": b"*.parquet filter=lfs\n"}
        self.hub.commits[key] = hashlib.sha1(key.encode()).hexdigest()
        self._json({"url": f"{self.hub.address}/{key}", "name": name, "id": name})

    def _mode(self, file: dict[str, Any]) -> dict[str, Any]:
        large = bool(self.hub.large) and file["path"].endswith(self.hub.large)
        return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

    def _slot(self, one: dict[str, Any]) -> dict[str, Any]:
        return {**one, "actions": {"upload": {"href": f"{self.hub.address}/store/{one['oid']}"}}}

    def _commit_to(self, key: str, lines: list[dict[str, Any]]) -> None:
        header, *operations = lines
        if header["value"].get("parentCommit") not in (None, self.hub.commits[key]):
            self._send(412, b'{"error": "the branch has moved on"}', {})
            return
        self.hub.take(key, header["value"], operations)
        oid = self.hub.commits[key]
        self._json({"success": True, "commitOid": oid, "commitUrl": f"{self.hub.address}/{key}/commit/{oid}"})
