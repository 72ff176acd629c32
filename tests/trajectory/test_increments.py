"""The loop for rectangular cells against the general one, which `test_unwrap` holds against the definition."""

import numpy as np
import pytest

from mlip_sse.trajectory.increments import _advance_atoms, advance
from mlip_sse.trajectory.unwrap import reduction_of

NO_IMAGES = np.empty((0, 0, 0), np.int64)


def case(edges: tuple[float, float, float], n_frames: int, n_atoms: int, seed: int) -> dict[str, np.ndarray]:
    """Return wrapped walkers in a rectangular cell that breathes by 1 % and is reduced by sorting its edges."""
    rng = np.random.default_rng(seed)
    breathing = 1 + 0.01 * np.sin(np.arange(n_frames))[:, None, None]
    cells = np.diag(edges) * breathing
    reduction = reduction_of(cells[0])
    fractions = rng.random((n_atoms, 3)) + np.cumsum(0.05 * rng.normal(size=(n_frames, n_atoms, 3)), axis=0)
    return {
        "coordinates": np.ascontiguousarray((fractions % 1.0) @ cells),
        "to_fraction": np.linalg.inv(reduction @ cells),
        "inverse": np.linalg.inv(reduction),
        "cells": reduction @ cells,
        "fractions": (fractions[0] % 1.0) @ np.linalg.inv(reduction),
        "positions": fractions[0] @ cells[0],
    }


def run(given: dict[str, np.ndarray], general: bool, dtype: type = np.float64) -> tuple[int, list[np.ndarray]]:
    fractions, positions = given["fractions"].copy(), given["positions"].copy()
    out = np.empty(given["coordinates"].shape, dtype)
    state = (given["coordinates"], NO_IMAGES, given["to_fraction"], given["inverse"], given["cells"])
    last = (fractions, positions, out, True, 0.4, np.full(3, 2.5))
    failed = _advance_atoms(0, len(fractions), *state, *last) if general else advance(*state, *last)
    return failed, [fractions, positions, out]


@pytest.mark.parametrize("edges", [(9.0, 9.0, 9.0), (7.0, 8.0, 9.0), (9.0, 7.0, 8.0), (9.0, 8.0, 7.0)])
@pytest.mark.parametrize(("n_frames", "n_atoms"), [(40, 7), (60, 2001)])  # on one thread, and on all
def test_the_loop_for_rectangular_cells_gives_the_bits_of_the_general_one(
    edges: tuple[float, float, float], n_frames: int, n_atoms: int
) -> None:
    given = case(edges, n_frames, n_atoms, seed=1)
    for dtype in (np.float64, np.float32):
        failed, found = run(given, general=False, dtype=dtype)
        assert failed == -1
        for one, other in zip(found, run(given, general=True, dtype=dtype)[1], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf, 1e9, 3.0])
@pytest.mark.parametrize(("n_frames", "n_atoms"), [(40, 7), (60, 2001)])
def test_both_name_the_same_first_bad_step(damage: float, n_frames: int, n_atoms: int) -> None:
    given = case((9.0, 7.0, 8.0), n_frames, n_atoms, seed=2)
    bad = np.array([[31, n_atoms - 2, 1], [31, n_atoms - 1, 0], [35, 0, 2]])
    given["coordinates"][tuple(bad.T)] += damage
    expected = 31 * n_atoms + n_atoms - 2
    assert run(given, general=False)[0] == expected
    assert run(given, general=True)[0] == expected
