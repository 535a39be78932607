"""A local mirror, and data files written by hand."""

from __future__ import annotations

import gzip
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest


def idx_bytes(array: np.ndarray) -> bytes:
    """The idx file of a uint8 array, not yet gzipped; written from the format's description."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def write_idx(tmp_path: Path) -> Callable[[str, np.ndarray | bytes], Path]:
    """Writes a gzipped idx file of an array, or of the bytes given, below ``tmp_path``."""

    def write(name: str, content: np.ndarray | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content if isinstance(content, bytes) else idx_bytes(content)
        path.write_bytes(gzip.compress(raw, mtime=0))
        return path

    return write


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A web server on this machine that serves ``files`` by path, and 404 for the rest.

    ``asked`` lists the paths asked for. With ``cut_after`` it promises a whole file, sends that
    many bytes and hangs up. At ``meeting`` (a barrier) every request waits for the others.
    ``answers`` has a status and one header for a path, in place of its file.
    """
    monkeypatch.setenv("NO_PROXY", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if served.meeting is not None:
                served.meeting.wait(timeout=240)
            if self.path in served.answers:
                status, header, value = served.answers[self.path]
                self.send_response(status)
                self.send_header(header, value)
                self.end_headers()
                self.wfile.write(b"no length")
                return
            content = served.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: served.cut_after])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = SimpleNamespace(
        url=f"http://127.0.0.1:{server.server_port}/",
        files={},
        answers={},
        asked=[],
        cut_after=None,
        meeting=None,
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()
