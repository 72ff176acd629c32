"""A small recipe, and small cells of LiCl."""

import numpy as np
from ase.build import bulk

from mlip_sse.potentials.pod import PodSpec

RECIPE = {
    "description": "a small one for the tests",
    "family": "pod",
    "cutoff": 4.5,
    "two_body": 4,
    "three_body": {"radial": 3, "angular": 2},
    "regularisation": 1e-8,
    "committee": 2,
    "core": {"pairs": 2},
    "domain": {"temperature_k": [300, 900], "references": ["doi:10.1000/example"], "licence": "MIT"},
}


def recipe(**changes):
    return PodSpec.parse({**RECIPE, **changes})


def licl_cells(n, seed):
    """Return rattled, sheared rock-salt cells of eight atoms; their edge of 5.1 Å is below twice the cutoff."""
    draws = np.random.default_rng(seed)
    cells = []
    for number in range(n):
        atoms = bulk("LiCl", "rocksalt", a=5.13, cubic=True)
        strain = draws.uniform(-0.04, 0.04, (3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        atoms.positions += draws.normal(scale=0.05 + 0.02 * (number % 4), size=(8, 3))
        cells.append(atoms)
    return cells
