"""The local page of a run, without a browser: it answers its own address alone, and only reads."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from threading import Thread

import pytest

from passk.core.errors import DataError, OutputError
from passk.report.live import LivePages
from passk.report.web.local_server import LocalServer


@pytest.fixture
def looks() -> list[int]:
    """A number for each time that the status was looked at."""
    return []


@pytest.fixture
def server(looks: list[int]) -> Iterator[LocalServer]:
    def state() -> dict[str, object]:
        looks.append(len(looks))
        if len(looks) > 1:
            raise DataError("the spec has changed", where="study.yaml")
        return {"title": "</script>", "looks": len(looks)}

    with LocalServer(LivePages(state)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def ask(server: LocalServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    host = f"127.0.0.1:{server.server_port}"
    body = "{}" if method == "POST" else None
    connection.request(method, path, body, {"Host": host, **headers})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_only_its_own_address_is_answered_and_nothing_can_be_changed(server: LocalServer) -> None:
    base, port = f"/{server.token}", server.server_port
    own = f"http://127.0.0.1:{port}"
    assert ask(server, f"{base}/")[0] == 200
    for status, path, method, headers in (
        (403, "/", "GET", {}),
        (403, "/wrong/status", "GET", {}),
        (403, f"{base}/status", "GET", {"Host": f"evil.example:{port}"}),
        (403, f"{base}/status", "GET", {"Origin": "http://evil.example"}),
        (403, f"{base}/status", "POST", {}),
        (405, f"{base}/status", "POST", {"Origin": own}),
        (404, f"{base}/assets/..%2f__init__.py", "GET", {}),
        (404, f"{base}/assets/review.js", "GET", {}),
    ):
        assert ask(server, path, method, **headers)[0] == status, path


def test_a_status_serves_several_pages_and_an_error_is_told(
    server: LocalServer, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/{server.token}/status"
    for _ in range(3):
        assert json.loads(ask(server, path)[1]) == {"title": "</script>", "looks": 1}
    assert looks == [0]
    monkeypatch.setattr("passk.report.live.REUSED_SECONDS", -1)
    status, body = ask(server, path)
    assert status == 500
    assert "the spec has changed" in json.loads(body)["error"]


def test_a_port_in_use_or_out_of_range_is_one_message(server: LocalServer) -> None:
    for port in (server.server_port, 70_000):
        with pytest.raises(OutputError, match="cannot listen"):
            LocalServer(LivePages(dict), port)
