"""Cells from lengths and angles, from options, and cells that cannot be."""

from pathlib import Path

import numpy as np
import pytest
from ase.geometry import cell_to_cellpar, cellpar_to_cell
from hypothesis import given
from hypothesis import strategies as st

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.periodic_cells import cell_from_option, cells_from_lengths_angles, require_cells


@given(st.lists(st.floats(2.0, 50.0), min_size=3, max_size=3), st.lists(st.floats(65.0, 115.0), min_size=3, max_size=3))
def test_lengths_and_angles_agree_with_ase(lengths: list[float], angles: list[float]) -> None:
    cell = cells_from_lengths_angles(np.array([lengths]), np.array([angles]))[0]
    np.testing.assert_allclose(cell, cellpar_to_cell([*lengths, *angles]), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(cell_to_cellpar(cell), [*lengths, *angles], rtol=1e-9)


def test_right_angles_are_exact() -> None:
    cell = cells_from_lengths_angles(np.array([[3.0, 4.0, 5.0]]), np.full((1, 3), 90.0))[0]
    np.testing.assert_array_equal(cell, np.diag([3.0, 4.0, 5.0]))


def test_angles_that_span_no_volume_are_refused_by_frame() -> None:
    cells = cells_from_lengths_angles(np.full((3, 3), 5.0), np.array([[90.0] * 3, [150.0, 150.0, 150.0], [90.0] * 3]))
    with pytest.raises(FormatError, match="frame 11 has an impossible cell"):
        require_cells(cells, 10, Path("run.xtc"))
    with pytest.raises(FormatError, match="frame 1 has no cell"):
        require_cells(np.stack([np.eye(3), np.zeros((3, 3))]), 0, Path("run.xtc"))


@pytest.mark.parametrize(
    "cell",
    [
        "abc",
        [1.0, 2.0],
        [0.0, 1.0, 1.0],
        [[1.0, 0.0, 0.0]] * 3,
        [1.0, 1.0, float("nan")],
        None,
        [5, 5, 5, 150, 150, 150],
    ],
)
def test_options_that_are_no_cell_are_refused(cell: object) -> None:
    with pytest.raises(InputError, match=r"3 lengths, a b c α β γ, or 3 vectors"):
        cell_from_option(cell)
