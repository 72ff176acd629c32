"""Provenance: inputs are known by content, operations in order."""

import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest

from mlip_sse.analysis.results import to_plain
from mlip_sse.provenance import InputFile, Provenance, package_version, sha256_of_file


def test_sha256_of_known_bytes(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # The test vector of FIPS 180-2.
    assert sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("size", [0, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_sha256_across_chunk_borders(tmp_path, size):
    data = bytes(index % 251 for index in range(4096)) * (size // 4096 + 1)
    path = tmp_path / "data"
    path.write_bytes(data[:size])
    assert sha256_of_file(path) == hashlib.sha256(data[:size]).hexdigest()


def test_an_input_file_is_known_by_content_not_by_name(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("same")
    second.write_text("same")
    one, two = InputFile.of(first), InputFile.of(second)
    assert (one.sha256, one.size_bytes) == (two.sha256, 4)
    assert one.path == str(first)


def test_then_adds_an_operation_and_changes_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_text("x")
    start = Provenance(inputs=(InputFile.of(path),), settings={"lag": 3})
    later = start.then("unwrapped").then("framework removed")
    assert later.operations == ("unwrapped", "framework removed")
    assert start.operations == ()
    assert (later.inputs, later.settings, later.created) == (start.inputs, start.settings, start.created)


def test_time_is_now_in_utc_and_version_is_the_installed_one():
    made = Provenance()
    age = datetime.now(UTC) - datetime.fromisoformat(made.created)
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert made.created.endswith("+00:00")
    assert made.version == package_version()
    assert re.fullmatch(r"\d+\.\d+\.\d+.*|unknown", made.version)


def test_it_can_be_written_as_json(tmp_path):
    path = tmp_path / "a"
    path.write_text("x")
    plain = to_plain(Provenance(version="1.0.0", inputs=(InputFile.of(path),), created="now").then("read"))
    assert plain["inputs"][0]["size_bytes"] == 1
    assert plain["operations"] == ["read"]
    assert plain["version"] == "1.0.0"
