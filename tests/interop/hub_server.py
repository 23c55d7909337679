"""A hub in memory: what `huggingface_hub` asks for to make a repository and commit to it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """Repositories by name: their files, and the title of each commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.commits: list[str] = []
        self.tokens: set[str | None] = set()
        self.private: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        path, body = urlsplit(self.path).path, self.body()
        self.server.tokens.add(self.headers.get("Authorization"))
        if path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = (
                asked["name"]
                if asked.get("organization") is None
                else (f"{asked['organization']}/{asked['name']}")
            )
            name = name if "/" in name else f"ada/{name}"
            status = 409 if name in self.server.files else 200
            self.server.files.setdefault(name, {})
            if asked.get("private") or asked.get("visibility") == "private":
                self.server.private.add(name)
            self.answer({"url": f"{self.server.url}/datasets/{name}"}, status)
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            held = self.server.files[path.split("/preupload/")[0].removeprefix("/api/datasets/")]
            oids = {name: git_oid(data) for name, data in held.items()}
            modes = [
                {
                    "path": one["path"],
                    "uploadMode": "regular",
                    "shouldIgnore": False,
                    "oid": oids.get(one["path"]),
                }
                for one in files
            ]
            self.answer({"files": modes})
        elif "/commit/" in path:
            self.commit(path.split("/commit/")[0].removeprefix("/api/datasets/"), body)
        else:
            self.answer({"error": path}, 404)

    def commit(self, repo: str, body: bytes) -> None:
        files = self.server.files[repo]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            match line["key"]:
                case "header":
                    self.server.commits.append(value["summary"])
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "deletedFile":
                    del files[value["path"]]
        oid = f"{len(self.server.commits):040x}"
        url = f"{self.server.url}/datasets/{repo}/commit/{oid}"
        self.answer({"commitUrl": url, "commitOid": oid})

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        repo = path.removeprefix("/api/datasets/").split("/tree/")[0].split("/revision/")[0]
        repo = repo.split("/paths-info/")[0]
        if "/tree/" in path:
            listed = [
                {"type": "file", "path": name, "size": len(data), "oid": git_oid(data)}
                for name, data in self.server.files[repo].items()
            ]
            self.answer(listed)
        elif path.startswith("/api/datasets/"):
            siblings = [{"rfilename": name} for name in self.server.files[repo]]
            self.answer({"id": repo, "sha": "0" * 40, "siblings": siblings})
        else:
            self.answer({"error": path}, 404)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def answer(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def git_oid(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


@contextmanager
def hub() -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
