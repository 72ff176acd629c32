"""The page in headless Chromium: every plot draws, nothing is fetched, nothing is wrong in the console."""

import json
import re

import pytest

from mlip_sse.report import write_report
from mlip_sse.report.watch import served
from tests.report.browser import WEB, open_page
from tests.report.sample_campaign import Sample, write_campaign

IN_THREE_DIMENSIONS = {"plot-cell"}
HOSTILE = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


def requires_drawn(opened, n_least):
    """All plots are there, each with an svg, or a canvas for three dimensions."""
    assert len(opened.drawn) >= n_least
    assert set(opened.drawn.values()) == {"yes"}, opened.drawn
    for place, nodes in opened.nodes.items():
        assert ("canvas" if place in IN_THREE_DIMENSIONS else "path") in nodes, place
        assert "svg" in nodes, place
    assert opened.console == []


@pytest.mark.parametrize(
    ("name", "n_least"),
    [
        ("resolved", 18),
        pytest.param("not-resolved", 18, marks=pytest.mark.slow),
        pytest.param("unfinished", 10, marks=pytest.mark.slow),
    ],
)
def test_plots_draw_and_nothing_is_fetched(samples, tmp_path, name, n_least):
    page = write_report(samples[name], tmp_path / "page.html")
    opened = open_page(page.as_uri(), tmp_path)
    requires_drawn(opened, n_least)
    assert [one for one in opened.addresses if WEB.match(one)] == []


def test_the_check_sees_what_a_page_fetches_and_a_script_that_fails(tmp_path):
    """The two checks above can fail: a page without a policy asks the network, and its error is logged."""
    page = tmp_path / "bad.html"
    page.write_text('<img src="https://example.org/x.png"><script>throw new Error("broken")</script>')
    opened = open_page(page.as_uri(), tmp_path)
    assert "https://example.org/x.png" in opened.addresses
    assert any("broken" in line for line in opened.console)


def test_what_a_folder_smuggles_in_does_not_run(tmp_path):
    campaign = write_campaign(tmp_path / "campaign", Sample(finished=False, n_rounds=2))
    evil = json.dumps(HOSTILE)
    (campaign / "spec.yaml").write_text(f"description: {evil}\nstructure:\n  crystal: {evil}\nmobile: {evil}\n")
    document = json.loads((campaign / "rounds" / "001.json").read_text())
    document |= {"state": HOSTILE, "decision": {"reasons": [HOSTILE], "criteria": [{"name": HOSTILE}]}}
    document["exploration"][0] |= {"name": HOSTILE, "ended": {"kind": HOSTILE, "reason": HOSTILE}}
    document["parity"] = {HOSTILE: {"reference": [1, 2], "predicted": [1, 2]}}
    (campaign / "rounds" / "001.json").write_text(json.dumps(document))
    (campaign / HOSTILE.replace("/", "")).write_text("a file with an evil name")
    opened = open_page(write_report(campaign, tmp_path / "page.html").as_uri(), tmp_path)
    assert "run</title>" not in re.sub(r"\s", "", opened.dom)
    assert "<img" not in opened.dom
    requires_drawn(opened, 6)
    assert [one for one in opened.addresses if WEB.match(one)] == []


def test_the_policy_stops_a_script_that_is_not_the_pages_own(samples, tmp_path):
    page = write_report(samples["seeds-only"], tmp_path / "page.html")
    page.write_text(page.read_text().replace("</main>", '<script>document.title="run"</script></main>'))
    opened = open_page(page.as_uri(), tmp_path)
    assert "<title>run</title>" not in opened.dom
    assert any("Content Security Policy" in line for line in opened.console)


def test_the_live_page_draws_and_asks_its_own_server_alone(samples, tmp_path):
    with served(samples["seeds-only"]) as address:
        opened = open_page(address, tmp_path)
    requires_drawn(opened, 2)
    asked = [one for one in opened.addresses if WEB.match(one)]
    assert asked
    assert all(one.startswith(address) for one in asked)
    assert f"{address}state" in asked
