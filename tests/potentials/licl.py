"""LiCl for tests: a smooth charged pair potential, frames that it labelled, and a small POD recipe to fit to them."""

import numpy as np
from ase.build import bulk

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.potentials import load_potential
from mlip_sse.potentials.lammps_pair import LammpsPairPotential
from mlip_sse.potentials.pod.specs import PodSpec
from mlip_sse.potentials.specs import LammpsPairSpec

FINGERPRINT = Fingerprint(method="calculator", code="LiCl pair potential of the tests")


def smooth_licl():
    """Return LiCl with charges, smooth at its cutoff: no dispersion, a damped Coulomb sum that ends with force 0."""
    shipped = load_potential("licl_born_mayer").recipe
    coefficients = {pair: (*numbers[:3], 0.0, 0.0) for pair, numbers in shipped.pair_coefficients.items()}
    changes = {
        "pair_style": "born/coul/dsf",
        "pair_arguments": (0.2, 10.0, 10.0),
        "pair_coefficients": coefficients,
        "kspace": None,
    }
    return LammpsPairPotential(LammpsPairSpec.parse({**shipped.model_dump(), **changes}), "smooth")


def licl_atoms(n_structures, seed=0, rattle=(0.03, 0.15), strain=0.02):
    """Return rattled, strained conventional cells of rock salt."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_structures):
        atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain * rng.uniform(-1, 1, (3, 3))), scale_atoms=True)
        atoms.positions += rng.uniform(*rattle) * rng.normal(size=atoms.positions.shape)
        found.append(atoms)
    return found


def label(structures, potential, group="rattled", n_groups=1):
    """Return frames with the labels of a potential, in groups of equal size."""
    frames = []
    calculator = potential.calculator()
    for place, atoms in enumerate(structures):
        copy = atoms.copy()
        copy.calc = calculator
        labels = (float(copy.get_potential_energy()), copy.get_forces(), copy.get_stress())
        name = f"{group} {place * n_groups // len(structures)}"
        symbols = tuple(copy.get_chemical_symbols())
        frames.append(
            LabelledFrame(symbols, copy.cell.array, copy.positions, *labels, FINGERPRINT, group=name, place=place)
        )
    return frames


def pod_recipe(**changes):
    """Return a small recipe that is fitted in about a second."""
    plain = {
        "family": "pod",
        "description": "LiCl of the tests",
        "two_body": 6,
        "three_body": {"radial": 3, "angular": 2},
        "committee": 4,
        "core": {"prior": 0.0},  # the rows of pressed pairs are most of the time of a small fit
        "domain": {"temperature_k": [300.0, 600.0], "references": ["doi:10.1000/none"], "licence": "MIT"},
        "split": {"validation": 0.25, "test": 0.25},
        **changes,
    }
    return PodSpec.parse(plain)
