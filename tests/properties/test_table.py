"""The table: units are asked for, limits are kept, and files give back what they were given."""

import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from mlip_sse.errors import FormatError, InputError
from mlip_sse.properties.table import Column, table_of
from mlip_sse.properties.table_files import read_table, sidecar_of, write_table


@pytest.fixture
def table():
    disordered = Structure(Lattice.cubic(5.7), [{"Li": 0.5, "Na": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    return table_of(
        {
            ("conductivity_s_cm", "S/cm"): [1e-3, 1e-10, np.nan],
            ("conductivity_s_cm_censored", ""): [0, -1, 0],
            ("conductivity_s_cm_low", "S/cm"): [5e-4, np.nan, np.nan],
        },
        {"composition": ["Li6PS5Cl", "Li12P2S10Cl2", "LiCl"], "family": ["argyrodite", "", "halide"]},
        [None, disordered, None],
    )


def test_units_are_asked_for(table):
    assert table.numbers("conductivity_s_cm", "S/cm")[0] == 1e-3
    with pytest.raises(InputError, match="is in S/cm, expected mS/cm"):
        table.numbers("conductivity_s_cm", "mS/cm")
    with pytest.raises(InputError, match=r"no column 'conductivity' in .*did you mean 'conductivity_s_cm'"):
        table.numbers("conductivity")
    with pytest.raises(InputError, match=r"expected numbers; the first that is none is 'argyrodite' in row 0"):
        table.numbers("family")


def test_materials_and_limits(table):
    assert table.materials() == ("Li6PS5Cl", "Li6PS5Cl", "LiCl")
    assert table.censored("conductivity_s_cm").tolist() == [0, -1, 0]
    assert table.censored("conductivity_s_cm_low").tolist() == [0, 0, 0]
    broken = table.with_column(Column("composition", kind="text"), ["Li2S", "Xy", "LiCl"])
    with pytest.raises(InputError, match=r"row 1 \(counted from 0\): composition 'Xy' does not parse"):
        broken.materials()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_gives_back_the_table(table, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"table{suffix}"
    assert write_table(table, path)[0] == path
    found = read_table(path)
    assert dict(found.columns) == dict(table.columns)
    for name in ("conductivity_s_cm", "conductivity_s_cm_low"):
        np.testing.assert_array_equal(found.values[name], table.values[name])
    assert found.texts("family") == table.texts("family")
    assert found.structure(0) is None
    assert found.structure(1) == table.structure(1)


def test_parquet_knows_its_units_without_the_sidecar(table, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "table.parquet"
    write_table(table, path)
    sidecar_of(path).unlink()
    assert read_table(path).columns["conductivity_s_cm"].unit == "S/cm"


def test_a_foreign_table_is_read_as_it_stands(tmp_path):
    path = tmp_path / "foreign.csv"
    path.write_text("composition,sigma,note\nLi2S,<1e-10,cold\nLiCl,3e-6,\nNaCl,,x\n")
    table = read_table(path)
    assert table.numbers("sigma")[:2].tolist() == [1e-10, 3e-6]
    assert table.censored("sigma").tolist() == [-1, 0, 0]
    assert table.columns["note"].kind == "text"


def test_rows_and_tables_below_each_other(table):
    other = table_of({("modulus_gpa", "GPa"): [40.0]}, {"composition": ["Li2S"]})
    both = table.rows([True, False, True]).below(other)
    assert both.compositions == ("Li6PS5Cl", "LiCl", "Li2S")
    np.testing.assert_array_equal(both.numbers("modulus_gpa"), [np.nan, np.nan, 40.0])
    wrong = table_of({("conductivity_s_cm", "mS/cm"): [1.0]}, {"composition": ["Li2S"]})
    with pytest.raises(InputError, match=r"is in S/cm .* and in mS/cm"):
        table.below(wrong)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("composition,composition\nLi,Na\n", "names 'composition' twice"),
        ("composition\n", "expected a header and at least one row"),
        ("composition,x\nLi2S,1,2\n", "line 2 has 3 cells, expected 2"),
        ("", "found 0 bytes"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_table(path)


def test_a_sidecar_of_another_version_is_refused(table, tmp_path):
    path = tmp_path / "table.csv"
    write_table(table, path)
    header = json.loads(sidecar_of(path).read_text())
    sidecar_of(path).write_text(json.dumps({**header, "format_version": 99}))
    with pytest.raises(FormatError, match="found format version 99, expected 1"):
        read_table(path)
