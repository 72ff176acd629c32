"""Small trajectory files with a known diffusivity, written by ASE; and dumps, as LAMMPS writes them."""

import numpy as np
from ase import Atoms
from ase.io import write

from mlip_sse.units import BOLTZMANN_EV_PER_K
from tests.analysis.transport.walkers import brownian

EDGE = 15.0
FRAME_SPACING_FS = 100.0
TEMPERATURES = (500.0, 600.0, 700.0, 800.0)
ACTIVATION_ENERGY_EV = 0.25
D_AT_700K_CM2_S = 1e-5


def diffusivity_cm2_s(temperature_k):
    """Return the diffusivity that the ions of `lithium_conductor` have."""
    exponent = ACTIVATION_ENERGY_EV / BOLTZMANN_EV_PER_K * (1 / temperature_k - 1 / 700.0)
    return D_AT_700K_CM2_S * np.exp(-exponent)


def lithium_conductor(temperature_k, seed, n_frames=400, n_ions=32):
    """Return symbols and unwrapped positions (frame, atom, 3) of lithium that walks in drifting sulfur."""
    rng = np.random.default_rng(seed)
    # D = step²/(2 spacing) for each axis; 1 cm²/s = 10 Å²/fs
    step = np.sqrt(2 * FRAME_SPACING_FS * 10 * diffusivity_cm2_s(temperature_k))
    lithium = brownian(rng, n_ions, n_frames, step).transpose(2, 0, 1) + rng.random((1, n_ions, 3)) * EDGE
    sulfur = rng.random((1, 16, 3)) * EDGE + 0.1 * rng.standard_normal((n_frames, 16, 3))
    drift = 0.01 * np.arange(n_frames)[:, None, None]
    return ["Li"] * n_ions + ["S"] * 16, np.concatenate([lithium, sulfur], axis=1) + drift


def write_frames(path, symbols, positions, wrap=True):
    """Write frames through ASE, wrapped into the cell."""
    frames = [Atoms(symbols, frame, cell=[EDGE] * 3, pbc=True) for frame in positions]
    if wrap:
        for atoms in frames:
            atoms.wrap()
    write(path, frames)
    return path


def write_conductor(folder, temperature_k, seed=1, name=None, suffix="extxyz", **size):
    """Write a `lithium_conductor` as ``<T>K.<suffix>``."""
    path = folder / f"{name or f'{temperature_k:g}K'}.{suffix}"
    return write_frames(path, *lithium_conductor(temperature_k, seed, **size))


def write_dump(path, positions, types, flags=None, elements=None):
    """Write a LAMMPS dump with wrapped coordinates, image flags where given, and elements where given."""
    columns = "id type x y z" + (" ix iy iz" if flags is not None else "") + (" element" if elements else "")
    bounds = f"0 {EDGE}\n" * 3
    with open(path, "w") as stream:
        for number, frame in enumerate(positions):
            stream.write(f"ITEM: TIMESTEP\n{number * 50}\nITEM: NUMBER OF ATOMS\n{len(types)}\n")
            stream.write(f"ITEM: BOX BOUNDS pp pp pp\n{bounds}ITEM: ATOMS {columns}\n")
            for atom, place in enumerate(np.mod(frame, EDGE)):
                cells = [atom + 1, types[atom], *(f"{x:.6f}" for x in place)]
                cells += [] if flags is None else list(flags[number, atom])
                cells += [elements[atom]] if elements else []
                stream.write(" ".join(str(cell) for cell in cells) + "\n")
    return path


def files(folder, kelvins=TEMPERATURES):
    """Return the paths of `write_conductor`'s files."""
    return [folder / f"{kelvin:g}K.extxyz" for kelvin in kelvins]
