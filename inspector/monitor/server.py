"""`GET /metrics` for Prometheus and `GET /health` for whoever asks whether the station is well.

On loopback unless the settings say otherwise: it has no passwords. It takes nothing in; a few
requests at a time, each with a time limit; the thread that inspects never waits for it.
"""

import json
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from engine.types import InputError
from inspector.monitor.health import Checks, health_json
from inspector.settings import MonitorSettings

AT_ONCE: Final = 8
REQUEST_S: Final = 5.0
JSON: Final = "application/json; charset=utf-8"


class MonitorServer:
    """Answers on ``settings``' host and port from a daemon thread, while entered.

    Entering raises :class:`InputError` where the port is taken.
    """

    def __init__(
        self, settings: MonitorSettings, registry: CollectorRegistry, checks: Checks
    ) -> None:
        self._settings = settings
        self._pages: dict[str, Callable[[], _Page]] = {
            "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)),
            "/health": lambda: _health(checks),
        }

    def __enter__(self) -> Self:
        host, port = self._settings.host, self._settings.port
        try:
            self._server = _Server(host, port, self._pages)
        except OSError as error:
            raise InputError(
                f"The monitor cannot listen on {host}, port {port}: "
                f"{error.strerror or error}; name another [monitor] host or port."
            ) from error
        serve = self._server.serve_forever
        threading.Thread(target=serve, name="monitor", daemon=True).start()
        return self

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


_Page = tuple[HTTPStatus, str, bytes]


def _health(checks: Checks) -> _Page:
    healthy, told = health_json(checks())
    status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return status, JSON, json.dumps(told).encode()


class _Server(ThreadingHTTPServer):
    """A few threads at a time: who comes too many is turned away, and no memory grows."""

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # on Windows it would share another's port

    def __init__(self, host: str, port: int, pages: "dict[str, Callable[[], _Page]]") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's own, which asks a name server for this machine's full name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; what is ours goes where a thread's crash goes."""
        kind, error, trace = sys.exc_info()
        if kind is None or isinstance(error, OSError):
            return
        thread = threading.current_thread()
        threading.excepthook(threading.ExceptHookArgs((kind, error, trace, thread)))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_S
    server_version = "inspector"
    sys_version = ""

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        status, content_type, body = page()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
        """A scrape every few seconds is no news."""
