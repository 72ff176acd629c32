"""What atoms are by their surroundings: known crystals, a slow twin, invariances, a published trajectory."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal

from mlip_sse.analysis.interphase.environments import Environments, UnitRule
from mlip_sse.bond_lengths import longest_bond
from mlip_sse.errors import InputError
from mlip_sse.trajectory.model import Trajectory
from tests.analysis.interphase.reacting_slab import reacting

REAL = Path(__file__).parents[4] / "shared/data/li6ps5cl_md/actual_XDATCAR.gz"


def counted(atoms, extra="PS", **settings):
    """Return the classes that occur with their numbers; atoms far outside stand in for species that a crystal lacks."""
    n, cell = len(atoms), np.array(atoms.cell)
    cell[2] += [0.0, 0.0, 60.0]
    outside = [[1.0, 1.0, np.ptp(atoms.positions[:, 2]) + 25.0 + 10.0 * k] for k in range(len(extra))]
    environments = Environments(np.array([*atoms.get_chemical_symbols(), *extra]), **settings)
    classes = environments.classify(np.concatenate([atoms.positions, outside]), cell).classes[:n]
    names = [environments.names[k] for k in classes]
    return {name: names.count(name) for name in sorted(set(names))}


def lithium_phosphide():
    # Na3As type, P6_3/mmc, a = 4.273, c = 7.594 Å
    return crystal(
        ["P", "Li", "Li"],
        [(1 / 3, 2 / 3, 0.25), (0, 0, 0.25), (1 / 3, 2 / 3, 0.583)],
        spacegroup=194,
        cellpar=[4.273, 4.273, 7.594, 90, 90, 120],
    )


def test_the_products_and_the_metal_are_told_as_what_they_are():
    sites = [(0, 0, 0), (0.25, 0.25, 0.25)]
    sulfide = crystal(["S", "Li"], sites, spacegroup=225, cellpar=[5.71] * 3 + [90] * 3)
    assert counted(sulfide * (2, 2, 3), extra="P") == {"Li ionic": 96, "Li2S-like": 48}
    assert counted(bulk("LiCl", "rocksalt", 5.13, cubic=True) * (2, 2, 3)) == {"Li ionic": 48, "LiCl-like": 48}
    metal = counted(bulk("Li", "bcc", 3.5, cubic=True) * (3, 3, 4))
    assert metal == {"Li metal": 72}
    phosphide = counted(lithium_phosphide() * (3, 3, 2), extra="S")
    assert phosphide == {"Li ionic": 108, "Li3P-like": 36}


def test_units_partly_reduced_bound_to_each_other_or_bare():
    tetrahedron = 2.05 / 3**0.5 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    for n in range(5):
        atoms = Atoms("P" + "S" * n, np.concatenate([np.zeros((1, 3)), tetrahedron[:n]]), cell=[20] * 3)
        name = ["bare P", "PS", "PS2", "PS3", "PS4"][n]
        assert counted(atoms)[name] == 1
        assert counted(atoms).get("S bonded", 0) == n
    five = Atoms("PS5", np.concatenate([np.zeros((1, 3)), tetrahedron, [[0, 0, -2.2]]]), cell=[20] * 3)
    assert counted(five)["PS4"] == 1
    assert counted(Atoms("P2S", [[0, 0, 0], [2.2, 0, 0], [-2.05, 0, 0]], cell=[20] * 3)) == {"P-P": 2, "S bonded": 1}
    assert counted(Atoms("PLi", [[0, 0, 0], [2.6, 0, 0]], cell=[20] * 3)) == {"Li ionic": 1, "Li3P-like": 1}
    turns = 2 * np.pi * np.arange(8) / 8
    ring = np.stack([2.7 * np.cos(turns), 2.7 * np.sin(turns), 0.4 * (-1.0) ** np.arange(8)], axis=1)
    assert counted(Atoms("S8", ring, cell=[20] * 3)) == {"S-S": 8}
    assert counted(Atoms("LiSCl", [[0, 0, 0], [8, 0, 0], [0, 8, 0]], cell=[20] * 3)) == {
        "bare Cl": 1,
        "bare Li": 1,
        "bare S": 1,
    }


def test_other_electrolytes_by_other_rules():
    tetrahedron = 1.54 / 3**0.5 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    phosphate = Atoms("PO4", np.concatenate([np.zeros((1, 3)), tetrahedron]), cell=[20] * 3)
    assert counted(phosphate, extra=["Li"], rules=(UnitRule("P", "O", 4),)) == {"O bonded": 4, "PO4": 1}
    environments = Environments(np.array(["Ge", "P", "S", "Li"]), (UnitRule("P", "S", 4), UnitRule("Ge", "S", 4)))
    assert {"PS4", "GeS4", "GeS3", "Li4Ge-like", "Ge-Ge"} <= set(environments.names)
    assert len(environments.intact) == 2
    assert Environments(np.array(["Mg", "P", "S"]), mobile=("Mg",)).names[0] == "Mg metal"
    assert "Mg3P2-like" in Environments(np.array(["Mg", "P", "S"]), mobile=("Mg",)).names


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rules": (UnitRule("P", "O", 4),)}, "species 'O' is not in the trajectory, which holds Li, P, S: say what"),
        ({"rules": (UnitRule(), UnitRule("P", "S", 3))}, "expected each of them once"),
        ({"mobile": ("P",)}, "none that is mobile"),
    ],
)
def test_rules_that_do_not_fit_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        Environments(np.array(["Li", "P", "S"]), **settings)
    with pytest.raises(InputError, match="expected two species"):
        UnitRule("S", "S", 4)


def slow_twin(species, positions, cell):
    """Apply the table of the module's docstring, atom by atom, on ASE's neighbours."""
    atoms = Atoms(species, positions, cell=cell, pbc=True)
    i, j, d = neighbor_list("ijd", atoms, 4.7)
    near = [
        [(species[b], float(r), int(b)) for a, b, r in zip(i, j, d, strict=True) if a == k] for k in range(len(species))
    ]

    def touches(k, symbol, reach):
        length = reach / 1.25 * longest_bond(species[k], symbol)
        return [b for s, r, b in near[k] if s == symbol and r < length]

    bonded = {k for k in range(len(species)) if species[k] == "S" and touches(k, "P", 1.25)}
    names = []
    for k, symbol in enumerate(species):
        lithium = touches(k, "Li", 1.4)
        shell = [b for s, r, b in near[k] if s in ("S", "Cl") and r < 4.6]
        among = 2 * sum(b in bonded for b in shell) > len(shell)
        if symbol == "P":
            n = len(touches(k, "S", 1.25))
            if n >= 4:
                names.append("PS4")
            elif touches(k, "P", 1.25):
                names.append("P-P")
            else:
                names.append("PS" + (str(n) if n > 1 else "") if n else "Li3P-like" if lithium else "bare P")
        elif symbol == "S" and k in bonded:
            names.append("S bonded")
        elif symbol == "S" and touches(k, "S", 1.25):
            names.append("S-S")
        elif symbol in ("S", "Cl"):
            product = "Li2S-like" if symbol == "S" else "LiCl-like"
            names.append(f"{symbol} in electrolyte" if among else product if lithium else f"bare {symbol}")
        else:
            foreign = any(touches(k, s, 1.4) for s in ("P", "S", "Cl"))
            names.append("Li ionic" if foreign else "Li metal" if lithium else "bare Li")
    return names


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_slow_twin_agrees_on_random_mixtures_in_skewed_cells(seed):
    rng = np.random.default_rng(seed)
    cell = np.array([[13.0, 0, 0], [4.0, 12.0, 0], [-3.0, 2.0, 14.0]])
    species = np.array(rng.choice(["Li", "P", "S", "Cl"], 130, p=[0.35, 0.15, 0.4, 0.1]))
    positions = rng.random((130, 3)) @ cell
    environments = Environments(species)
    found = [environments.names[k] for k in environments.classify(positions, cell).classes]
    assert found == slow_twin(species.tolist(), positions, cell)
    assert len(set(found)) > 9


def test_wrapping_order_and_turning_change_no_class():
    trajectory = reacting(np.where(np.arange(72).reshape(3, 3, 8) % 8 > 5, 0.0, np.inf), n_frames=2, seed=4)
    positions, cell = np.array(trajectory.positions[1]), trajectory.cells[1]
    environments = Environments(trajectory.species)
    classes = environments.classify(positions, cell).classes
    assert len(set(classes)) > 8
    rng = np.random.default_rng(5)
    shifted = positions + rng.standard_normal(3) * 10 + rng.integers(-2, 3, positions.shape) @ cell
    assert (environments.classify(shifted, cell).classes == classes).all()
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert (environments.classify(positions @ turn, cell @ turn).classes == classes).all()
    order = rng.permutation(len(positions))
    again = Environments(trajectory.species[order])
    names = [again.names[k] for k in again.classify(positions[order], cell).classes]
    assert names == [environments.names[k] for k in classes[order]]


def test_a_published_argyrodite_is_whole_and_its_free_sulfide_and_chloride_are_the_electrolytes():
    if not REAL.exists():
        pytest.skip(f"the trajectory of Li6PS5Cl is not at {REAL}")
    trajectory = Trajectory.read(REAL, frame_spacing_fs=100.0)
    environments = Environments(trajectory.species)
    for frame in (0, 70, 139):
        classes = environments.classify(trajectory.positions[frame], trajectory.cells[frame]).classes
        counts = dict(zip(environments.names, np.bincount(classes, minlength=len(environments.names)), strict=True))
        found = {name: int(n) for name, n in counts.items() if n}
        assert found == {"Li ionic": 192, "Cl in electrolyte": 32, "S bonded": 128, "S in electrolyte": 32, "PS4": 32}
