"""The synthetic trajectory that every case works on: walkers in a vibrating framework, and its files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOX", "N_ATOMS", "N_IONS", "frames", "walkers", "write_dump", "write_extxyz", "write_xdatcar"]

N_IONS = 500
N_ATOMS = 2000
BOX = 28.0
"""Edge of the cubic cell in Å: 0.09 atoms/Å³, as in a sulfide."""

_STEP = 0.15


def walkers(n_frames: int, seed: int = 1) -> NDArray[np.float64]:
    """Return Brownian ions, (n_frames, N_IONS, 3) Å, unwrapped."""
    generator = np.random.default_rng(seed)
    steps = generator.standard_normal((n_frames, N_IONS, 3), dtype=np.float32) * np.float32(_STEP)
    steps[0] = generator.random((N_IONS, 3), dtype=np.float32) * np.float32(BOX)
    return np.cumsum(steps, axis=0, dtype=np.float64)


def frames(n_frames: int, seed: int = 2) -> NDArray[np.float64]:
    """Return the walkers and a vibrating framework, (n_frames, N_ATOMS, 3) Å, wrapped."""
    edge = np.arange(12) * (BOX / 12)
    sites = np.stack(np.meshgrid(edge, edge, edge, indexing="ij"), axis=-1).reshape(-1, 3)[: N_ATOMS - N_IONS]
    noise = np.random.default_rng(seed).standard_normal((n_frames, len(sites), 3))
    positions: NDArray[np.float64] = np.concatenate([walkers(n_frames, seed), sites + _STEP * noise], axis=1) % BOX
    return positions


def write_dump(path: Path, n_frames: int) -> None:
    """Write a LAMMPS text dump as ``dump custom id type x y z`` gives it."""
    bounds = f"0.0 {BOX}\n" * 3
    rows = [f"{atom + 1} {1 if atom < N_IONS else 2} %.6f %.6f %.6f" for atom in range(N_ATOMS)]
    header = f"ITEM: NUMBER OF ATOMS\n{N_ATOMS}\nITEM: BOX BOUNDS pp pp pp\n{bounds}ITEM: ATOMS id type x y z\n"
    _write(path, (f"ITEM: TIMESTEP\n{100 * step}\n{header}" for step in range(n_frames)), rows, frames(n_frames))


def write_xdatcar(path: Path, n_frames: int) -> None:
    """Write an XDATCAR of VASP 5 and later, fixed cell."""
    first = f"synthetic\n 1.0\n {BOX} 0.0 0.0\n 0.0 {BOX} 0.0\n 0.0 0.0 {BOX}\n Li O\n {N_IONS} {N_ATOMS - N_IONS}\n"
    headers = (("" if step else first) + f"Direct configuration= {step + 1:5d}\n" for step in range(n_frames))
    _write(path, headers, ["  %.8f  %.8f  %.8f"] * N_ATOMS, frames(n_frames) / BOX)


def write_extxyz(path: Path, n_frames: int) -> None:
    """Write an extended XYZ file with species and positions."""
    lattice = f"{BOX} 0.0 0.0 0.0 {BOX} 0.0 0.0 0.0 {BOX}"
    header = f'{N_ATOMS}\nLattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"\n'
    rows = [f"{'Li' if atom < N_IONS else 'O'} %.8f %.8f %.8f" for atom in range(N_ATOMS)]
    _write(path, (header for _ in range(n_frames)), rows, frames(n_frames))


def _write(path: Path, headers: Iterator[str], rows: list[str], positions: NDArray[np.float64]) -> None:
    """Write under a temporary name first, so that an interrupted run leaves no short file behind."""
    template = "\n".join(rows) + "\n"
    unfinished = path.with_suffix(path.suffix + ".part")
    with unfinished.open("w") as file:
        for header, frame in zip(headers, positions, strict=True):
            file.write(header + template % tuple(frame.ravel()))
    unfinished.replace(path)
