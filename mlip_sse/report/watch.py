"""The page while a campaign runs, served to this machine alone, and loaded again when a round or the answer changes.

Only requests that name this server as their host are answered: a page of somebody else, whose name was made to point at
this machine, gets nothing (DNS rebinding).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mlip_sse.errors import InputError, MlipSseError
from mlip_sse.report.campaign_record import read_campaign, state_of_files
from mlip_sse.report.markup import tag
from mlip_sse.report.page import page_html
from mlip_sse.report.production import read_production

__all__ = ["LivePage", "served", "watch"]

ADDRESS = "127.0.0.1"
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LivePage:
    """The page of a folder as it is now, made anew only when the folder has changed.

    Parameters
    ----------
    folder
        Of the campaign.

    Raises
    ------
    InputError
        When it is no campaign's.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = read_campaign(folder).folder
        self._lock = threading.Lock()
        self._made: tuple[str, str] | None = None

    @property
    def state(self) -> str:
        """What changes when the page would."""
        return state_of_files(self.folder)

    def html(self) -> str:
        """Return the page; one that says why where a file is damaged."""
        with self._lock:
            state = self.state
            if self._made is None or self._made[0] != state:
                self._made = (state, self._make(state))
            return self._made[1]

    def _make(self, state: str) -> str:
        try:
            record = read_campaign(self.folder)
            return page_html(record, read_production(record), linked=False, live_state=state)
        except MlipSseError as error:
            refreshed = tag("meta", http_equiv="refresh", content="5")
            page = tag("html", tag("head", refreshed, tag("title", "mlip-sse")), tag("body", tag("p", str(error))))
            return f"<!DOCTYPE html>\n{page}\n"


@contextmanager
def served(folder: str | Path, port: int = 0) -> Iterator[str]:
    """Serve the live page in a thread while the block runs, and give its address.

    Parameters
    ----------
    folder
        Of the campaign.
    port
        0: any that is free.

    Raises
    ------
    InputError
        When the folder is no campaign's, or the port is taken.
    """
    page = LivePage(folder)
    try:
        server = ThreadingHTTPServer((ADDRESS, port), _handler(page))
    except (OSError, OverflowError) as error:
        raise InputError(f"port {port}: cannot be listened on ({error}), expected a free one, or 0 for any") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        yield f"http://{ADDRESS}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def watch(folder: str | Path, port: int = 0, started: Callable[[str], None] | None = None) -> None:
    """Serve the live page until interrupted.

    Parameters
    ----------
    folder, port
        As in `served`.
    started
        Called with the address.
    """
    with served(folder, port) as address:
        if started is not None:
            started(address)
        threading.Event().wait()


def _handler(page: LivePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "mlip-sse"
        sys_version = ""
        timeout = 30

        def do_GET(self) -> None:
            port = self.server.server_address[1]  # type: ignore[index]  # an address of a family that has ports
            if self.headers.get("Host", "") not in (f"{ADDRESS}:{port}", f"localhost:{port}"):
                self._send(HTTPStatus.FORBIDDEN, "text/plain", "this page is for this machine alone\n")
            elif self.path == "/":
                self._send(HTTPStatus.OK, "text/html", page.html())
            elif self.path == "/state":
                self._send(HTTPStatus.OK, "text/plain", page.state)
            else:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", "there is / alone\n")

        def _send(self, status: HTTPStatus, kind: str, body: str) -> None:
            written = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(written)))
            for name, value in _SECURITY_HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(written)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the terminal shows the address."""

    return Handler
