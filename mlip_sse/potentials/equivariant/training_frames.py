"""Labelled frames on their way into nequip: checked, written, held in memory with their neighbours, and measured."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.dataset import LabelledFrame
from mlip_sse.errors import InputError

__all__ = [
    "choose_elements",
    "data_digest",
    "data_module_settings",
    "element_energies",
    "force_sizes",
    "memory_frames",
    "write_frames",
]

_RIDGE = 1e-4


def choose_elements(recipe_elements: Sequence[str] | None, frames: Sequence[LabelledFrame]) -> tuple[str, ...]:
    """Return the elements of the network, those of the data by atomic number where the recipe names none.

    Raises
    ------
    InputError
        When there are no frames, a frame holds an element the recipe leaves out, or no frame holds one it names.
    """
    from ase.data import atomic_numbers

    if not frames:
        raise InputError("found no training frames, expected at least one: label some")
    found = {symbol for frame in frames for symbol in frame.symbols}
    if recipe_elements is None:
        return tuple(sorted(found, key=lambda symbol: atomic_numbers[symbol]))
    if stray := sorted(found - set(recipe_elements)):
        raise InputError(f"found frames with {', '.join(stray)}, expected only {', '.join(recipe_elements)}")
    if unseen := [element for element in recipe_elements if element not in found]:
        raise InputError(f"found no frame with {', '.join(unseen)}, expected frames of every element of the recipe")
    return tuple(recipe_elements)


def data_digest(train: Sequence[LabelledFrame], validation: Sequence[LabelledFrame]) -> str:
    """Return what the frames are, labels included, in 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in (train, validation):
        digest.update(f"{len(part)}\n".encode())
        for frame in part:
            digest.update(f"{frame.id} {frame.energy!r}\n".encode())
            digest.update(frame.forces.tobytes())
            digest.update(b"" if frame.stress is None else frame.stress.tobytes())
    return digest.hexdigest()


def element_energies(
    energies: NDArray[np.float64], frames: Sequence[LabelledFrame], elements: Sequence[str]
) -> NDArray[np.float64]:
    """Return (n_elements,) eV, the mean energy of an atom split among the elements.

    E ≈ Σ_e n_e ε_e in the least squares, a slight ridge drawing each ε_e to the mean energy of an atom, so that data of
    one composition give that mean to all.

    Parameters
    ----------
    energies
        (n_frames,) eV, what the network has to give.
    frames, elements
        Whose atoms are counted.
    """
    counts = np.array([[frame.symbols.count(element) for element in elements] for frame in frames], dtype=float)
    n_atoms = counts.sum(axis=1)
    mean = float((energies / n_atoms).mean())
    shares = counts / n_atoms[:, None]
    normal = shares.T @ shares + _RIDGE * len(frames) * np.eye(len(elements))
    solution: NDArray[np.float64] = mean + np.linalg.solve(normal, shares.T @ (energies / n_atoms - mean))
    return solution


def force_sizes(
    forces: Sequence[NDArray[np.float64]], frames: Sequence[LabelledFrame], elements: Sequence[str]
) -> NDArray[np.float64]:
    """Return (n_elements,) eV/Å, the root mean square of a force component on each element."""
    symbols = np.concatenate([np.array(frame.symbols) for frame in frames])
    together = np.concatenate(list(forces))
    return np.array([np.sqrt(np.square(together[symbols == element]).mean()) for element in elements])


def write_frames(path: Path, frames: Sequence[LabelledFrame], with_stress: bool) -> None:
    """Write frames as nequip's data module reads them, whole or not at all; a stress that is missing becomes NaN."""
    from ase.io import write

    images = []
    for frame in frames:
        atoms = frame.to_atoms()
        atoms.calc.results.pop("free_energy", None)
        atoms.calc.results.pop("stress", None)
        if with_stress:
            atoms.calc.results["stress"] = np.full(6, np.nan) if frame.stress is None else frame.stress.copy()
        images.append(atoms)
    part = path.with_name(f".part-{os.getpid()}-{path.name}")
    write(part, images, format="extxyz")
    os.replace(part, path)


def memory_frames(file_path: str, transforms: Sequence[Any]) -> Any:
    """Return a nequip dataset that made its neighbour lists once; named in `data_module_settings`."""
    from nequip.data.dataset import ASEDataset

    dataset = ASEDataset(file_path=file_path, transforms=list(transforms), ase_args={"format": "extxyz"})
    dataset.data_list = [dataset._transform(data) for data in dataset.data_list]
    dataset.transforms = []
    return dataset


def data_module_settings(
    files: tuple[Path, Path], elements: Sequence[str], cutoff: float, batch_size: int, seed: int
) -> dict[str, Any]:
    """Return the settings of nequip's data module for a training and a validation file."""
    transforms = [
        {
            "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
            "model_type_names": list(elements),
        },
        {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": cutoff},
    ]
    dataset = {"_target_": f"{__name__}.memory_frames", "transforms": transforms}
    loader = {"_target_": "torch.utils.data.DataLoader", "num_workers": 0}
    return {
        "seed": seed,
        "train_dataset": {**dataset, "file_path": str(files[0])},
        "val_dataset": {**dataset, "file_path": str(files[1])},
        "train_dataloader": {**loader, "batch_size": batch_size, "shuffle": True},
        "val_dataloader": {**loader, "batch_size": max(2, batch_size), "shuffle": False},
    }
