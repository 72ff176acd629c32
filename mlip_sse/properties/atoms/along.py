"""A model of atoms asked in every frame of a trajectory, its spectrum, and the true one beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError
from mlip_sse.properties.atoms.atom_model import AtomModel
from mlip_sse.properties.atoms.spectrum import ModelErrors, Spectrum, spectrum_of

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["Along", "spectra_along"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Along:
    """What a model says along a trajectory.

    Parameters
    ----------
    found, truth
        Spectrum of the model, its errors counted in, and the true one; None where no truth was given.
    values : (n_frames, n_atoms) the property
    labels : (n_frames, n_atoms) places in the names of the spectrum
    outside, far : (n_frames, n_atoms) whether an atom is outside of the domain, or farther than nine tenths of the
        unseen atoms were
    """

    found: Spectrum
    truth: Spectrum | None
    values: Floats
    labels: npt.NDArray[np.intp]
    outside: npt.NDArray[np.bool_]
    far: npt.NDArray[np.bool_]


def spectra_along(
    model: AtomModel,
    frames: "Sequence[Atoms]",
    *,
    width: float,
    n_blocks: int = 10,
    environments: bool = False,
    truth: Sequence[Floats] | None = None,
) -> Along:
    """Ask a model in each frame.

    Parameters
    ----------
    model
        What `fit_atoms` returned.
    frames
        In the order of time, all of the same atoms.
    width, n_blocks
        Of the spectra.
    environments
        Whether labels are the classes of `mlip_sse.analysis.interphase.environments` instead of elements.
    truth
        (n_atoms,) of each frame.

    Raises
    ------
    InputError
        When there is no frame, or the atoms change.
    """
    from mlip_sse.analysis.interphase.environments import Environments

    if not frames:
        raise InputError("found no frame, expected some: look at start:stop:step")
    symbols = frames[0].get_chemical_symbols()
    elements = model.surroundings.elements
    rules = Environments(np.array(symbols)) if environments else None
    names = elements if rules is None else rules.names
    of_elements = np.array([elements.index(symbol) if symbol in elements else -1 for symbol in symbols])
    answers, labels = [], []
    for at, atoms in enumerate(frames):
        if atoms.get_chemical_symbols() != symbols:
            raise InputError(f"frame {at}: found other atoms than in the first, expected the same in the same order")
        answers.append(model.ask(atoms))
        found = of_elements if rules is None else rules.classify(atoms.positions, atoms.cell.array).classes
        labels.append(found)
    values = np.array([each.prediction.value for each in answers])
    kinds = np.array(labels, dtype=np.intp)
    errors = ModelErrors(
        np.array([each.scales for each in answers]),
        of_elements,
        [(part.residuals, part.blocks) for part in model.parts],
    )
    spectrum = spectrum_of(values, kinds, names, width=width, n_blocks=n_blocks, errors=errors)
    true = None if truth is None else spectrum_of(np.array(truth), kinds, names, width=width, n_blocks=n_blocks)
    outside = np.array([each.prediction.outside for each in answers])
    return Along(spectrum, true, values, kinds, outside, np.array([each.far for each in answers]))
