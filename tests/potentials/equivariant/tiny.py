"""Tiny NequIP and Allegro potentials of Li, P and S that are made in seconds, for every suite that needs one."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.morse import MorsePotential
from ase.calculators.singlepoint import SinglePointCalculator

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.potentials.contract import FAMILIES, FittedPotential
from mlip_sse.potentials.families import POTENTIALS

ELEMENTS = ("Li", "P", "S")
DOMAIN = {"temperature_k": [300.0, 800.0], "references": ["doi:10.1038/s41467-022-29939-5"], "licence": "MIT"}
NETWORKS = {
    "nequip": {"layers": 2, "l_max": 1, "features": 4, "radial_width": 8},
    "allegro": {"layers": 1, "l_max": 1, "scalar_features": 8, "tensor_features": 2, "width": 8},
}


def tiny_recipe(family, **changes):
    """Return a recipe whose training takes seconds; float64, so that finite differences can be sharp."""
    training = {"epochs": 3, "batch_size": 2, "learning_rate": 0.01, **changes.pop("training", {})}
    plain = {
        "family": family,
        "description": f"tiny {family} of tests",
        "elements": list(ELEMENTS),
        "cutoff": 4.0,
        "precision": "float64",
        "domain": DOMAIN,
        **NETWORKS[family],
        **changes,
        "training": training,
    }
    return POTENTIALS[family].parse(plain)


def tiny_frames(n_frames, seed=0, with_stress=True):
    """Return rattled 12-atom crystals labelled with a Morse potential, cells a little triclinic."""
    rng = np.random.default_rng(seed)
    fingerprint = Fingerprint.declared("Morse potential of the tests")
    grid = np.stack(np.meshgrid(range(3), range(2), range(2), indexing="ij"), axis=-1).reshape(-1, 3) * 2.6
    frames = []
    for number in range(n_frames):
        atoms = Atoms([*ELEMENTS, "S"] * 3, positions=grid, cell=[7.8, 5.2, 5.2], pbc=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.03, (3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.15, atoms.positions.shape)
        atoms.calc = MorsePotential(epsilon=0.3, rho0=4.0, r0=2.6, rcut1=3.5, rcut2=4.0)
        labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        if with_stress:
            labels["stress"] = atoms.get_stress()
        atoms.calc = SinglePointCalculator(atoms, **labels)
        frames.append(LabelledFrame.from_atoms(atoms, fingerprint, group=f"tiny-{number}"))
    return frames


def tiny_potential(family, folder, **changes) -> FittedPotential:
    """Fit a tiny potential of ``nequip`` or ``allegro`` in ``folder``; about three seconds after the imports."""
    from importlib import import_module

    module, name = FAMILIES[family].split(":")
    frames = tiny_frames(8)
    return getattr(import_module(module), name).fit(
        tiny_recipe(family, **changes), frames[:6], frames[6:], Path(folder)
    )
