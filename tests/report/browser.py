"""A page opened in headless Chromium: what it drew, what it asked the network for, what its console said."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

HARMLESS = re.compile(r"willReadFrequently|GL Driver Message|GPU stall|WebGL-0x|swiftshader", re.IGNORECASE)
"""What Chromium says of its own speed when it draws without a graphics card."""

WEB = re.compile(r"^(https?|wss?|ftp)://")


@dataclass
class Opened:
    """What a page came to: its document, the console's lines, and the addresses that were asked for."""

    dom: str
    console: list[str]
    addresses: list[str]
    drawn: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, set[str]] = field(default_factory=dict)


def chromium():
    """Return Chromium's path, or skip."""
    found = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
    if found is None:
        pytest.skip("there is no Chromium here; apt-get install chromium")
    return found


def open_page(address, scratch, *, size="1280,900", screenshot=None):
    """Open an address; every name but this machine's own leads nowhere."""
    log = scratch / "netlog.json"
    command = [
        chromium(),
        "--headless",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        f"--user-data-dir={scratch / 'profile'}",
        f"--log-net-log={log}",
        "--enable-logging=stderr",
        "--virtual-time-budget=10000",
        f"--window-size={size}",
        *([] if screenshot is None else [f"--screenshot={screenshot}"]),
        "--dump-dom",
        address,
    ]
    environment = {**os.environ, "HOME": str(scratch), "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env=environment, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line and not HARMLESS.search(line)]
    opened = Opened(done.stdout, console, _page_addresses(log))
    _Plots(opened).feed(done.stdout)
    return opened


def _page_addresses(log):
    """Return the addresses that pages asked the network for; what Chromium asks of itself has no origin."""
    written = log.read_text(errors="replace").rstrip().rstrip(",")
    try:
        events = json.loads(written)["events"]
    except ValueError:
        events = json.loads(written + "]}")["events"]  # the log of a browser that left in a hurry
    parameters = [event.get("params") or {} for event in events]
    return sorted({one["url"] for one in parameters if one.get("initiator") not in (None, "not an origin")})


class _Plots(HTMLParser):
    """Finds, for each plot, whether the page's script says it is drawn, and what elements it holds."""

    def __init__(self, opened):
        super().__init__()
        self.opened, self.inside, self.depth = opened, None, 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if self.inside is None and "plot" in (attributes.get("class") or "").split():
            self.inside, self.depth = attributes["id"], 0
            self.opened.drawn[self.inside] = attributes.get("data-drawn", "")
            self.opened.nodes[self.inside] = set()
        if self.inside is not None:
            if tag == "div":
                self.depth += 1
            self.opened.nodes[self.inside].add(tag)

    def handle_endtag(self, tag):
        if self.inside is not None and tag == "div":
            self.depth -= 1
            if self.depth == 0:
                self.inside = None
