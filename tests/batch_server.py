"""A mock of OpenAI's Batch API, over the mock server of completions."""

from __future__ import annotations

import json
import re
from typing import Any

from faulty_server import FaultyServer, Handler


class BatchHandler(Handler):
    """Files and batches; a line of a batch is answered as the server answers a request."""

    server: BatchServer

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/files":
            lines = re.findall(rb'^\{"custom_id".*$', content, re.MULTILINE)
            self.reply(200, {"id": self.server.keep_file(b"\n".join(lines).decode())})
        elif self.path == "/v1/batches":
            self.reply(200, self.server.start(json.loads(content)))
        else:
            self.reply(404, {"error": {"message": "only batches here"}})

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        parts = self.path.partition("?")[0].split("/")
        if parts[2] == "batches" and len(parts) == 3:
            found = {"object": "list", "data": list(self.server.batches.values())}
            self.reply(200, found | {"has_more": False})
        elif parts[2] == "batches":
            self.reply(200, self.server.look(parts[3], self))
        elif parts[2] == "files":
            self.send(200, self.server.files[parts[3]].encode())
        else:
            super().do_GET()


class BatchServer(FaultyServer):
    """Batches are finished at the look after `looks` others."""

    def __init__(self) -> None:
        super().__init__(handler=BatchHandler)
        self.files: dict[str, str] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.looks = 0
        self.end = "completed"
        self.leave_out = 0
        """Lines of the first batch that it has no reply to."""

    def keep_file(self, content: str) -> str:
        """Keep a file; return its id."""
        name = f"file-{len(self.files)}"
        self.files[name] = content
        return name

    def start(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Begin a batch."""
        name = f"batch-{len(self.batches)}"
        self.batches[name] = asked | {"id": name, "object": "batch", "status": "in_progress"}
        return self.batches[name]

    def look(self, name: str, handler: BatchHandler) -> dict[str, Any]:
        """Return a batch, finished if it is time."""
        batch = self.batches[name]
        self.looks -= 1
        if self.looks < 0 and batch["status"] == "in_progress":
            lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
            left_out, self.leave_out = self.leave_out, 0
            done = [json.dumps(self.answer(line, handler)) for line in lines[left_out:]]
            batch |= {"status": self.end, "output_file_id": self.keep_file("\n".join(done))}
        return batch

    def answer(self, line: dict[str, Any], handler: BatchHandler) -> dict[str, Any]:
        """Return the line of a batch's output."""
        body = line["body"]
        self.asked.append({"body": body})
        refusal = self.rules(body)
        status, content = (200, handler.completion(body))
        if refusal:
            status, content = refusal[0], {"error": refusal[1]}
        return {
            "custom_id": line["custom_id"],
            "response": {"status_code": status, "body": content},
            "error": None,
        }
