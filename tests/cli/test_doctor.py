"""``mlip-sse doctor``: what is missing is said, with what to do about it."""

import json

import pytest

from mlip_sse import readiness
from mlip_sse.readiness import Check


def said(program, monkeypatch, *checks):
    monkeypatch.setattr(readiness, "check_machine", lambda engine: checks)
    return program("doctor")


def test_all_well(program, monkeypatch):
    outcome = said(
        program, monkeypatch, Check("a", True, True, "1.0", "advice"), Check("long name", False, False, "none")
    )
    assert outcome.code == 0
    assert outcome.out == "a          ok       1.0\nlong name  absent   none\nready\n"


def test_a_required_thing_is_missing(program, monkeypatch):
    outcome = said(program, monkeypatch, Check("numba", False, True, "it is not there", "pip install numba"))
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "numba  MISSING  it is not there; pip install numba",
        "not ready: something required is missing",
    ]


@pytest.mark.parametrize("ok", [True, False])
def test_json(program, monkeypatch, ok):
    monkeypatch.setattr(readiness, "check_machine", lambda engine: (Check("a", ok, True, "f", "do this"),))
    outcome = program("doctor", "--json")
    assert outcome.code == (0 if ok else 1)
    found = {"name": "a", "ok": ok, "required": True, "found": "f", "advice": "do this"}
    assert json.loads(outcome.out) == {"ready": ok, "checks": [found]}
