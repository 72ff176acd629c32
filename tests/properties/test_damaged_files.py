"""Damaged model files and tables are one line of our own, whatever stands in them; nothing is ever executed."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlip_sse.errors import FormatError, MlipSseError
from mlip_sse.properties.contract import regressor
from mlip_sse.properties.storage import MODEL_FILE, read_model, write_model
from mlip_sse.properties.table import table_of
from mlip_sse.properties.table_files import read_table, sidecar_of, write_table

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, regressor("linear", n_folds=3).fit(rng.normal(size=(12, 2)), rng.normal(size=12)), {})
    return folder, (folder / MODEL_FILE).read_bytes()


def ours_or_fine(call):
    """Call; an error must be one of ours, on one line."""
    said = ""
    try:
        call()
    except MlipSseError as error:
        said = str(error)
    assert "\n" not in said


@QUICK
@given(at=st.floats(0, 1, exclude_max=True), piece=st.binary(max_size=6), cut=st.booleans())
def test_changed_bytes_of_a_model(model, at, piece, cut):
    folder, whole = model
    start = int(at * len(whole))
    (folder / MODEL_FILE).write_bytes(whole[:start] if cut else whole[:start] + piece + whole[start + len(piece) :])
    ours_or_fine(lambda: read_model(folder))


@QUICK
@given(key=st.sampled_from(["fitted", "about", "format_version", "arrays_sha256"]), value=PLAIN)
def test_another_value_in_a_model(model, key, value):
    folder, whole = model
    (folder / MODEL_FILE).write_text(json.dumps({**json.loads(whole), key: value}))
    ours_or_fine(lambda: read_model(folder))


@QUICK
@given(columns=PLAIN)
def test_another_meaning_of_columns(tmp_path, columns):
    path = tmp_path / "table.csv"
    write_table(table_of({("modulus", "GPa"): [1.0, 2.0]}, {"composition": ["Li2S", "LiCl"]}), path)
    header = json.loads(sidecar_of(path).read_text())
    sidecar_of(path).write_text(json.dumps({**header, "columns": columns}))
    ours_or_fine(lambda: read_table(path))


@QUICK
@given(content=st.binary(min_size=1, max_size=200))
def test_any_bytes_as_a_table(tmp_path, content):
    path = tmp_path / "bytes.csv"
    path.write_bytes(content)
    ours_or_fine(lambda: read_table(path))


def test_a_truncated_sidecar_and_an_absent_table_are_one_line(tmp_path):
    path = tmp_path / "table.csv"
    write_table(table_of({("modulus", "GPa"): [1.0]}, {"composition": ["Li2S"]}), path)
    sidecar_of(path).write_text(sidecar_of(path).read_text()[:40])
    with pytest.raises(FormatError, match=r"columns\.json: not JSON"):
        read_table(path)
    with pytest.raises(FormatError, match="found no such file"):
        read_table(tmp_path / "absent.csv")
