"""The live page: for this machine alone, for its own name alone, and new when a round is."""

import http.client
import json
import socket

import pytest

from mlip_sse.errors import InputError
from mlip_sse.report.watch import LivePage, served


def ask(address, path="/", host=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(address.rstrip("/").rsplit(":", 1)[1]), timeout=60)
    try:
        connection.request("GET", path, headers={} if host is None else {"Host": host})
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read().decode()
    finally:
        connection.close()


def test_it_serves_the_page_and_its_state(campaign):
    with served(campaign) as address:
        status, headers, page = ask(address)
        assert status == 200
        assert "li6ps5cl_disordered" in page
        assert headers["X-Frame-Options"] == "DENY"
        state = ask(address, "/state")[2]
        assert f'data-state="{state}"' in page
        assert "connect-src &#x27;self&#x27;" in page


def test_a_new_round_changes_state_and_page(campaign):
    with served(campaign) as address:
        before = ask(address, "/state")[2]
        document = json.loads((campaign / "rounds" / "002.json").read_text())
        (campaign / "rounds" / "003.json").write_text(json.dumps(document | {"number": 3, "state": "exploring"}))
        assert ask(address, "/state")[2] != before
        assert "exploring" in ask(address)[2]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost", ""])
def test_another_host_name_gets_nothing(campaign, host):
    with served(campaign) as address:
        status, _, body = ask(address, "/", host)
        assert status == 403
        assert "li6ps5cl" not in body


@pytest.mark.parametrize("path", ["/spec.yaml", "/../campaign.json", "/state/", "//evil.example/", "/?x"])
def test_no_other_path_is_served(campaign, path):
    with served(campaign) as address:
        assert ask(address, path)[0] == 404


def test_it_listens_on_this_machine_alone(campaign):
    with served(campaign) as address:
        assert address.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_refused(campaign):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port}"), served(campaign, port):
            pass


def test_a_file_that_is_damaged_meanwhile_is_said_and_mended(campaign):
    page = LivePage(campaign)
    whole = (campaign / "rounds" / "002.json").read_text()
    (campaign / "rounds" / "002.json").write_text("{")
    assert "002.json" in page.html()
    (campaign / "rounds" / "002.json").write_text(whole)
    assert "The answer" in page.html()


def test_the_page_is_made_once_while_nothing_changes(campaign):
    page = LivePage(campaign)
    assert page.html() is page.html()


def test_the_file_on_disk_has_no_fetch_of_ours(campaign):
    from mlip_sse.report import write_report

    written = write_report(campaign).read_text()
    assert "connect-src &#x27;none&#x27;" in written
    assert 'fetch("state"' not in written
