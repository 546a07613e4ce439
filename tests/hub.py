"""A stand-in for the Hugging Face hub on this machine: its calls that read, over local folders."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlparse

#: The commit of every model.
COMMIT = "c" * 40


@dataclass
class Hub:
    """What the hub holds, and how it behaves.

    Attributes
    ----------
    models
        Folders by the models' names.
    breaks
        How many more times the download of a file ends half-way, by the file's name.
    gated
        The status with which a model's files are refused, by its name.
    down
        Whether every call is answered with 503.
    pause
        Seconds between the pieces of a large file.
    requests
        How often each path was asked for with GET.
    ranges
        Where resumed downloads began.
    """

    models: dict[str, Path]
    breaks: Counter[str] = field(default_factory=Counter)
    gated: dict[str, int] = field(default_factory=dict)
    down: bool = False
    pause: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[int] = field(default_factory=list)
    endpoint: str = ""
    _stopped: Event = field(default_factory=Event)

    def wait(self) -> None:
        self._stopped.wait(self.pause)

    @contextmanager
    def serving(self) -> Iterator[Hub]:
        hub = self

        class Handler(Calls):
            served = hub

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.endpoint = f"http://127.0.0.1:{server.server_port}"
            Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            try:
                yield self
            finally:
                self._stopped.set()
                server.shutdown()


class Calls(BaseHTTPRequestHandler):
    """Answers the calls of one hub."""

    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.served.requests[urlparse(self.path).path] += 1
        self._answer()

    def _answer(self) -> None:
        if self.served.down:
            return self._send(503, b"")
        parts = [unquote(part) for part in urlparse(self.path).path.strip("/").split("/")]
        api = parts[:2] == ["api", "models"]
        parts = parts[2:] if api else parts
        name = next((n for n in ("/".join(parts[:2]), parts[0]) if n in self.served.models), None)
        if name is None:
            return self._send(401, b'{"error": "no"}', {"X-Error-Code": "RepoNotFound"})
        rest = parts[name.count("/") + 1 :]
        if api:
            return self._describe(name, rest)
        return self._file(name, rest[1], self.served.models[name] / "/".join(rest[2:]))

    def _describe(self, name: str, rest: list[str]) -> None:
        folder = self.served.models[name]
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in files]
        if rest[:1] == ["tree"]:
            tree = [
                {"type": "file", "path": file, "size": path.stat().st_size, "oid": digest(path)}
                for file, path in zip(names, files, strict=True)
            ]
            return self._send(200, json.dumps(tree).encode())
        if rest and rest[1] not in ("main", COMMIT):
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        siblings = [{"rfilename": file} for file in names]
        info = {"id": name, "sha": COMMIT, "private": False, "siblings": siblings, "tags": []}
        return self._send(200, json.dumps(info).encode())

    def _file(self, name: str, revision: str, path: Path) -> None:
        if name in self.served.gated:
            head = {"X-Error-Code": "GatedRepo", "X-Repo-Commit": COMMIT}
            return self._send(self.served.gated[name], b"", head)
        if revision not in ("main", COMMIT):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if not path.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        data = path.read_bytes()
        head = {
            "ETag": f'"{digest(path)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes",
        }  # fmt: skip
        start = 0
        if given := self.headers.get("Range"):
            start = int(given.removeprefix("bytes=").split("-")[0])
            self.served.ranges.append(start)
            head["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        broken = self.command == "GET" and self.served.breaks[path.name] > 0
        if broken:
            self.served.breaks[path.name] -= 1
        self._send(206 if given else 200, data[start:], head, broken=broken)

    def _send(
        self, status: int, body: bytes, head: Mapping[str, str] | None = None, broken: bool = False
    ) -> None:
        self.send_response(status)
        for key, value in (head or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        end = len(body) // 2 if broken else len(body)
        slow = self.served.pause > 0 and end > 1 << 16
        step = max(1, end // 8 if slow else end)
        try:
            for place in range(0, end, step):
                self.wfile.write(body[place : min(end, place + step)])
                self.wfile.flush()
                if slow:
                    self.served.wait()
        except OSError:
            pass  # whoever asked has gone
        if broken:
            self.close_connection = True
            self.connection.close()


def digest(path: Path) -> str:
    """What stands for a file's content."""
    return hashlib.sha1(path.read_bytes()).hexdigest()
