"""The verb report: a file, JSON, and one line for what is wrong."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import pytest

from tests.report.sample_campaign import Sample, write_campaign


@pytest.fixture
def campaign(tmp_path):
    return write_campaign(tmp_path / "campaign", Sample(finished=False, n_rounds=2))


def test_it_writes_the_page_into_the_folder(program, campaign):
    done = program("report", campaign)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"report: {campaign / 'report.html'}\n"
    assert (campaign / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_json_names_the_file(program, campaign, tmp_path):
    done = program("report", campaign, "--out", tmp_path / "page.html", "--json")
    assert json.loads(done.out) == {"report": str(tmp_path / "page.html")}
    assert (tmp_path / "page.html").is_file()


def test_a_foreign_folder_is_one_line(program, tmp_path):
    done = program("report", tmp_path)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "expected a campaign's folder" in done.err


def test_watch_writes_no_file(program, campaign):
    done = program("report", campaign, "--watch", "--json")
    assert done.code == 2
    assert "--watch" in done.err


def test_watch_serves_until_it_is_interrupted(campaign):
    command = [sys.executable, "-m", "mlip_sse", "report", str(campaign), "--watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
    try:
        address = process.stdout.readline().split()[1]
        with urllib.request.urlopen(address, timeout=120) as reply:
            assert b"li6ps5cl_disordered" in reply.read()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (130, "interrupted\n")
    assert not (campaign / "report.html").exists()
