"""Whole atoms from fractions: neutral, nearest, in the smallest cell, and a refusal that says why."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mlip_sse.errors import InputError
from mlip_sse.structures import disordered_crystal
from mlip_sse.structures.occupancies import smallest_cells, whole_counts


def test_exact_occupancies_need_one_cell(shared_rock_salt):
    found = smallest_cells(shared_rock_salt, 1, 0.0)
    assert (found.n_cells, found.deviation) == (1, 0.0)
    assert found.counts == ({"Na": 2, "Li": 2}, {"Cl": 4})


@pytest.mark.parametrize(("fraction", "n_cells"), [(0.5, 1), (0.25, 1), (0.125, 2), (1 / 3, 3), (0.3, 5), (0.05, 5)])
def test_the_smallest_supercell_that_meets_a_fraction(shared_rock_salt, fraction, n_cells):
    mixed = replace(shared_rock_salt, occupancies=({"Na": fraction, "Li": 1 - fraction}, {"Cl": 1.0}))
    found = smallest_cells(mixed, 12, 1e-6)
    assert found.n_cells == n_cells
    assert found.counts[0]["Na"] == round(fraction * 4 * n_cells)


def test_a_misfit_is_refused_with_site_size_and_remedy(shared_rock_salt):
    mixed = replace(shared_rock_salt, occupancies=({"Na": 0.3, "Li": 0.7}, {"Cl": 1.0}))
    with pytest.raises(InputError) as refused:
        smallest_cells(mixed, 1, 0.005)
    message = str(refused.value)
    assert "site M asks for 0.3 Na on 4 positions, 1.20 atoms" in message
    assert "0.050 off in occupancy" in message
    assert "max_cells=5" in message
    assert "\n" not in message


def test_neutrality_chooses_between_two_roundings():
    # 22.56 Li on 24d and 33.50 on 96h: 23 + 34 would be nearest, but only 56 Li are neutral.
    llzo = disordered_crystal("c_li7la3zr2o12")
    found = whole_counts(llzo, 1, 0.03)
    lithium = [found.counts[llzo.labels.index(label)]["Li"] for label in ("Li1", "Li2")]
    assert lithium == [23, 33]
    assert found.deviation == pytest.approx(23 / 24 - 0.94)


def test_a_charge_that_cannot_be_rounded_away_is_named(shared_rock_salt):
    charged = shared_rock_salt.with_oxidation_states({"Cl": -2.0})
    with pytest.raises(InputError, match=r"leave a charge of -4\.00 e in 1 cell"):
        smallest_cells(charged, 1, 0.01)


def test_an_element_without_oxidation_state_is_named(shared_rock_salt):
    unknown = replace(shared_rock_salt, oxidation_states={"Na": 1.0, "Cl": -1.0})
    with pytest.raises(InputError, match="no oxidation state for Li"):
        smallest_cells(unknown, 1, 0.01)


@pytest.mark.parametrize("tolerance", [0.05, 0.13, 0.3])
def test_equals_trying_every_combination(tolerance):
    structure = disordered_crystal("li6ps5cl_disordered")
    found = whole_counts(structure, 1, tolerance)
    best = None
    for lithium, cl_c, cl_a in product(range(49), range(5), range(5)):
        misfits = np.abs([lithium / 48 - 0.5, cl_c / 4 - 0.615, cl_a / 4 - 0.385])
        charge = lithium + 4 * 5 - 2 * (16 + 8 - cl_c - cl_a) - cl_c - cl_a
        nearest = abs(cl_c - 2.46) < 1 and abs(cl_a - 1.54) < 1
        squared = misfits[0] ** 2 * 48 + 2 * (misfits[1] ** 2 + misfits[2] ** 2) * 4
        if (
            charge == 0
            and nearest
            and misfits.max() <= tolerance
            and lithium == 24
            and (best is None or squared < best[0])
        ):
            best = (squared, cl_c, cl_a)
    if best is None:
        assert found is None
    else:
        x4c, x4a = (found.counts[structure.labels.index(label)] for label in ("X4c", "X4a"))
        assert (x4c["Cl"], x4a["Cl"]) == best[1:]
