"""Regressors for each element: surroundings of an atom in, its property with a conformal interval out.

Frames near each other in time are nearly alike, so that errors are measured on whole blocks of frames that the fit did
not see; the scores of these blocks make the intervals (`mlip_sse.properties.atoms.atom_part`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.atom_part import AtomPart, PartSettings, fit_part
from mlip_sse.properties.atoms.surroundings import Surroundings
from mlip_sse.properties.contract import Prediction
from mlip_sse.properties.storage import read_model, storable, write_model

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

__all__ = ["AtomAnswer", "AtomErrors", "AtomModel", "atom_errors", "fit_atoms", "frame_blocks", "read_atom_model"]

Floats = npt.NDArray[np.float64]

_N_BLOCKS, _MIN_BLOCKS, _N_FOLDS = 20, 10, 5
_N_DRAWS = 2000


@storable
@dataclass(frozen=True, eq=False)
class AtomModel:
    """What `fit_atoms` returns.

    Parameters
    ----------
    surroundings
        The descriptor.
    parts
        What was fitted for each of its elements, in their order.
    means
        Mean of the property in training, for each element.
    what, unit
        Name and unit of the property.
    """

    surroundings: Surroundings
    parts: tuple[AtomPart, ...]
    means: tuple[float, ...]
    what: str
    unit: str

    def predict(self, atoms: "Atoms", confidence: float = 0.9) -> Prediction:
        """Return the property of each atom; arrays (n_atoms,)."""
        return self.ask(atoms, confidence).prediction

    def ask(self, atoms: "Atoms", confidence: float = 0.9) -> "AtomAnswer":
        """Return the property of each atom with what its error is measured by."""
        features, symbols = self.surroundings.of(atoms), np.array(atoms.get_chemical_symbols())
        columns = [np.empty(len(symbols)) for _ in range(5)]
        outside, far = np.zeros(len(symbols), dtype=bool), np.zeros(len(symbols), dtype=bool)
        for element, part in zip(self.surroundings.elements, self.parts, strict=True):
            own = np.flatnonzero(symbols == element)
            if not len(own):
                continue
            found, scale = part.ask(features[own], np.zeros(len(own), dtype=np.intp), confidence)
            said = (found.value, found.low, found.high, found.distance, scale)
            for column, values in zip(columns, said, strict=True):
                column[own] = values
            outside[own], far[own] = found.outside, found.distance > part.far
        value, low, high, distance, scales = columns
        return AtomAnswer(Prediction(value, low, high, confidence, distance, outside), scales, far)

    def write(self, folder: "str | Path") -> "list[Path]":
        """Write the model into a folder, as plain JSON and arrays."""
        about = {"kind": "atoms", "property": self.what, "unit": self.unit, "elements": self.surroundings.elements}
        return write_model(folder, self, about)


@dataclass(frozen=True, eq=False)
class AtomAnswer:
    """A prediction for the atoms of one frame.

    Parameters
    ----------
    prediction
        Values and intervals.
    scales : (n_atoms,) by which errors on unseen blocks were divided, in the unit of the property
    far : (n_atoms,) whether an atom is farther from the training than nine tenths of the unseen ones were
    """

    prediction: Prediction
    scales: Floats
    far: npt.NDArray[np.bool_]


def fit_atoms(
    frames: "Sequence[Atoms]",
    values: Sequence[Floats],
    *,
    what: str,
    unit: str = "",
    models: Sequence[str] = ("linear", "gaussian_process"),
    n_blocks: int | None = None,
    seed: int = 0,
    surroundings: Surroundings | None = None,
    runs: Sequence[int] | None = None,
) -> AtomModel:
    """Fit a regressor for each element.

    Parameters
    ----------
    frames
        In the order of time.
    values
        (n_atoms,) of each frame.
    what, unit
        Name and unit of the property.
    models
        Names in `mlip_sse.properties.contract.MODELS`; for each element that with the smallest error on unseen blocks
        gives the values, and how far the others are from it is part of the interval.
    n_blocks
        Blocks of successive frames, which five folds leave out whole; 20, or as many as there are frames. An interval
        of 90 % takes at least ten.
    runs
        Frames of each run, in order; no block holds frames of two. None: all are of one.

    Raises
    ------
    InputError
        When there are fewer frames than blocks, or a frame has another number of values than atoms.
    """
    n_blocks = min(len(frames), _N_BLOCKS) if n_blocks is None else n_blocks
    if not _MIN_BLOCKS <= n_blocks <= len(frames):
        raise InputError(
            f"found {len(frames)} frames in {n_blocks} blocks, expected {_MIN_BLOCKS} blocks or more, a frame in each"
        )
    for at, (atoms, own) in enumerate(zip(frames, values, strict=True)):
        if np.shape(own) != (len(atoms),) or not np.isfinite(own).all():
            raise InputError(
                f"frame {at}: found {np.shape(own)} values, expected {len(atoms)} finite ones, one an atom"
            )
    symbols = np.concatenate([atoms.get_chemical_symbols() for atoms in frames])
    descriptor = surroundings or Surroundings(tuple(sorted(set(symbols.tolist()))))
    features = np.vstack([descriptor.of(atoms) for atoms in frames])
    target = np.concatenate(list(values))
    sizes = [len(atoms) for atoms in frames]
    blocks = np.repeat(frame_blocks(len(frames), n_blocks, runs), sizes)
    numbers = np.repeat(np.arange(len(frames)), sizes)
    settings = PartSettings(tuple(models), seed, _N_FOLDS)
    parts, means = [], []
    for element in descriptor.elements:
        own = symbols == element
        if not own.any():
            raise InputError(f"found no atom of {element} in the frames, expected some: leave it out of the elements")
        parts.append(fit_part(features[own], target[own], blocks[own], numbers[own], settings))
        means.append(float(target[own].mean()))
    return AtomModel(descriptor, tuple(parts), tuple(means), what, unit)


def frame_blocks(n_frames: int, n_blocks: int, runs: Sequence[int] | None = None) -> npt.NDArray[np.intp]:
    """Return the block of each frame, (n_frames,): successive frames of one run, in blocks of nearly one size."""
    sizes = list(runs or [n_frames])
    if sum(sizes) != n_frames or min(sizes) < 1:
        raise InputError(f"found runs of {sizes} frames, expected positive numbers that add up to {n_frames}")
    if len(sizes) == 1:
        return np.arange(n_frames) * n_blocks // n_frames
    found, start = [], 0
    for size in sizes:
        own = min(size, max(1, round(n_blocks * size / n_frames)))
        found.append(start + np.arange(size) * own // size)
        start += own
    return np.concatenate(found)


@dataclass(frozen=True)
class AtomErrors:
    """Errors of one element in frames that were not fitted to.

    Parameters
    ----------
    element, n_atoms
        Of which, and how many atoms in all frames.
    mae, low, high
        Mean absolute error with its 95 % interval, a bootstrap over blocks of frames.
    baseline
        That of always saying the training mean.
    null
        That of saying what was predicted for another atom of the element, at random.
    covered
        Share of atoms whose 90 % interval holds the truth.
    outside
        Share of atoms outside of the domain.
    far
        Share of atoms that are farther from the training than nine tenths of the unseen ones were: 0.1 where these
        frames are like those of the training.
    """

    element: str
    n_atoms: int
    mae: float
    low: float
    high: float
    baseline: float
    null: float
    covered: float
    outside: float
    far: float


def atom_errors(
    model: AtomModel, frames: "Sequence[Atoms]", values: Sequence[Floats], *, n_blocks: int = 10, seed: int = 0
) -> tuple[AtomErrors, ...]:
    """Return the errors of each element in other frames."""
    answers = [model.ask(atoms) for atoms in frames]
    said = [each.prediction for each in answers]
    symbols = np.concatenate([atoms.get_chemical_symbols() for atoms in frames])
    truth, value = np.concatenate(list(values)), np.concatenate([each.value for each in said])
    inside = np.concatenate([(each.low <= own) & (own <= each.high) for each, own in zip(said, values, strict=True)])
    outside, far = np.concatenate([each.outside for each in said]), np.concatenate([each.far for each in answers])
    block = np.repeat(np.arange(len(frames)) * n_blocks // len(frames), [len(atoms) for atoms in frames])
    rng = np.random.default_rng(seed)
    found = []
    for element, mean in zip(model.surroundings.elements, model.means, strict=True):
        own = symbols == element
        if not own.any():
            continue
        miss = np.abs(value - truth)[own]
        sums = np.bincount(block[own], miss, n_blocks)
        counts = np.bincount(block[own], minlength=n_blocks)
        draws = rng.integers(n_blocks, size=(_N_DRAWS, n_blocks))
        spread = sums[draws].sum(axis=1) / np.maximum(counts[draws].sum(axis=1), 1)
        low, high = np.quantile(spread, [0.025, 0.975])
        null = float(np.abs(rng.permutation(value[own]) - truth[own]).mean())
        base = float(np.abs(mean - truth[own]).mean())
        mae, covered, beyond = float(miss.mean()), float(inside[own].mean()), float(outside[own].mean())
        count, shifted = int(own.sum()), float(far[own].mean())
        found.append(AtomErrors(element, count, mae, float(low), float(high), base, null, covered, beyond, shifted))
    return tuple(found)


def read_atom_model(folder: "str | Path") -> AtomModel:
    """Read a model that `AtomModel.write` wrote.

    Raises
    ------
    InputError
        When the folder holds another kind of model.
    """
    found, _ = read_model(folder)
    if not isinstance(found, AtomModel):
        raise InputError(
            f"{folder}: found a model of materials, expected one of atoms, as 'properties fit-atoms' writes"
        )
    return found
