"""Ordering: all arrangements by brute force, annealing against enumeration, seeds, symmetry, provenance."""

from itertools import combinations

import numpy as np
import pytest
from ase import Atoms

from mlip_sse.errors import InputError
from mlip_sse.space_groups import symmetry_dataset
from mlip_sse.structures import OrderingSettings, disordered_crystal, lineage, resolve_disorder
from mlip_sse.structures.annealing import exchange_energies
from mlip_sse.structures.ewald import ewald_matrix


def brute_force(structure):
    """Energies of all ways to fill half of the oxygen sites, one by one."""
    matrix = ewald_matrix(structure.cell, structure.scaled_positions)
    energies = []
    for chosen in combinations(range(4, 12), 4):
        q = np.array([2.0] * 4 + [0.0] * 8)
        q[list(chosen)] = -2.0
        energies.append(0.5 * q @ matrix @ q)
    return np.sort(energies)


def test_enumeration_finds_every_arrangement_once(half_empty_fluorite):
    ordered = resolve_disorder(half_empty_fluorite, OrderingSettings(n_structures=100))
    energies = brute_force(half_empty_fluorite)
    assert sum(one.degeneracy for one in ordered) == len(energies) == 70
    weighted = np.sort(np.repeat([one.ewald_energy_ev for one in ordered], [one.degeneracy for one in ordered]))
    assert weighted == pytest.approx(energies, abs=1e-6)
    # The 70 ways to fill 4 of the 8 corners of a cube fall into 6 classes under its 48 symmetries (Pólya); translations
    # of the face-centred lattice are symmetries here too, and merge some.
    assert len(ordered) <= 6
    assert [one.ewald_energy_ev for one in ordered] == sorted(one.ewald_energy_ev for one in ordered)
    assert {one.method for one in ordered} == {"enumeration"}
    assert all(one.seed is None for one in ordered)


def test_the_lowest_is_zinc_blende(half_empty_fluorite):
    lowest = resolve_disorder(half_empty_fluorite)[0]
    atoms = lowest.atoms
    found = symmetry_dataset(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    assert found.international == "F-43m"
    assert lowest.degeneracy == 2


def test_energy_is_that_of_the_atoms(shared_rock_salt):
    ordered = resolve_disorder(
        shared_rock_salt.with_oxidation_states({"Na": 1.5, "Li": 0.5}), OrderingSettings(n_structures=9)
    )
    assert len(ordered) > 0
    for one in ordered:
        charges = np.array([{"Na": 1.5, "Li": 0.5, "Cl": -1.0}[symbol] for symbol in one.atoms.get_chemical_symbols()])
        matrix = ewald_matrix(one.atoms.cell.array, one.atoms.get_scaled_positions())
        assert one.ewald_energy_ev == pytest.approx(0.5 * charges @ matrix @ charges, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_annealing_finds_the_minimum_that_enumeration_proves(seed):
    structure = disordered_crystal("li3ycl6").repeat(np.diag([1, 1, 2]))  # 924 ways
    proven = resolve_disorder(structure, OrderingSettings(max_enumerated=1000))[0]
    sampled = resolve_disorder(structure, OrderingSettings(max_enumerated=1, seed=seed))[0]
    assert (proven.method, sampled.method) == ("enumeration", "sampling")
    assert sampled.ewald_energy_ev == pytest.approx(proven.ewald_energy_ev, abs=1e-6)
    assert sampled.degeneracy == proven.degeneracy
    assert sampled.seed in [(seed, sample) for sample in range(16)]


def test_exchange_energies_equal_recomputed_ones():
    rng = np.random.default_rng(5)
    scaled = rng.random((9, 3))
    matrix = ewald_matrix(np.diag([7.0, 8.0, 9.0]), scaled)
    charges = np.array([1.0, -2.0, 3.0, 0.0])
    occupants = np.array([0, 1, 2, -1, 0, 1, 2, -1, 0])
    sites = np.array([0, 1, 3, 5, 6, 7])
    fast = exchange_energies(occupants, sites, charges, matrix, matrix @ charges[occupants])
    before = 0.5 * charges[occupants] @ matrix @ charges[occupants]
    for a, i in enumerate(sites):
        for b, j in enumerate(sites):
            moved = occupants.copy()
            moved[[i, j]] = moved[[j, i]]
            after = 0.5 * charges[moved] @ matrix @ charges[moved]
            assert fast[a, b] == (np.inf if occupants[i] == occupants[j] else pytest.approx(after - before, abs=1e-9))


def test_the_same_seed_gives_the_same_atoms_and_another_seed_is_said():
    structure = disordered_crystal("li10gep2s12")
    settings = OrderingSettings(n_structures=3, n_samples=3, n_sweeps=20, seed=7)
    first, second = resolve_disorder(structure, settings), resolve_disorder(structure, settings)
    assert [one.ewald_energy_ev for one in first] == [one.ewald_energy_ev for one in second]
    for one, two in zip(first, second, strict=True):
        assert one.atoms == two.atoms
        assert lineage(one.atoms)[-1]["seed"] == list(one.seed)
        assert one.seed[0] == 7


def test_lgps_keeps_its_composition_and_its_tetrahedra():
    (ordered,) = resolve_disorder(disordered_crystal("li10gep2s12"))
    assert ordered.atoms.symbols.formula.count() == {"Li": 20, "Ge": 2, "P": 4, "S": 24}
    steps = lineage(ordered.atoms)
    assert [step["operation"] for step in steps] == ["crystal", "order"]
    assert steps[1]["counts"]["M1"] == {"Ge": 2, "P": 2}
    assert steps[1]["occupancy_deviation"] == 0
    assert steps[1]["ewald_energy_ev"] == ordered.ewald_energy_ev


def test_argyrodite_disorder_is_met_in_two_cells_or_refused():
    structure = disordered_crystal("li6ps5cl_disordered")
    with pytest.raises(InputError, match=r"site X4c asks for 0\.615 Cl on 4 positions.*0\.115 off.*max_cells=9"):
        resolve_disorder(structure)
    settings = OrderingSettings(max_cells=2, occupancy_tolerance=0.02)
    (ordered,) = resolve_disorder(structure, settings)
    assert ordered.atoms.symbols.formula.count() == {"Li": 48, "P": 8, "S": 40, "Cl": 8}
    step = lineage(ordered.atoms)[-1]
    assert (step["n_cells"], step["counts"]["X4c"]) == (2, {"Cl": 5, "S": 3})
    assert step["occupancy_deviation"] == pytest.approx(0.01)  # 5/8 for 0.615
    lithium = ordered.atoms[ordered.atoms.symbols == "Li"]
    distances = lithium.get_all_distances(mic=True)[np.triu_indices(len(lithium), 1)]
    assert distances.min() > 2.0  # never both of a pair 1.9 Å apart


def test_an_ordered_structure_comes_back_as_it_is():
    (ordered,) = resolve_disorder(disordered_crystal("li"))
    assert (ordered.method, ordered.degeneracy, ordered.ewald_energy_ev) == ("ordered", 1, 0.0)
    assert isinstance(ordered.atoms, Atoms)
    assert len(ordered.atoms) == 2


@pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"max_cells": 0}, {"occupancy_tolerance": 0.7}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        OrderingSettings(**wrong)
