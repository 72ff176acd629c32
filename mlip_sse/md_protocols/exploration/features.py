"""A vector for each frame, near that of frames which are alike: what de-duplication measures distances in.

For each element the mean and the standard deviation over its atoms of each descriptor, in units of its spread in the
training data; too many numbers are turned into fewer by a fixed random projection, which keeps distances.

References
----------
W. B. Johnson and J. Lindenstrauss, Contemp. Math. 26, 189 (1984), doi:10.1090/conm/026/737400.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ase import Atoms

    from mlip_sse.potentials.pod.potential import PodPotential

__all__ = ["DescriptorFeatures", "descriptor_features", "radial_features"]

_N_FEATURES = 128
_SEED = 20177
_LEAST = 0.1  # of the median spread: a descriptor that never varied shall count when it does, but not for all
_RCOND = 1e-14
_CUTOFF_A, _CENTRES_A = 6.0, np.arange(1.0, 6.0, 0.25)
_WIDTH_A = 0.25


class DescriptorFeatures:
    """From the descriptors of a frame's atoms to its features.

    Parameters
    ----------
    scales
        For each element the (n_descriptors,) spread of each descriptor, above 0.
    """

    def __init__(self, scales: Mapping[str, NDArray[np.float64]]) -> None:
        self._inverse = {element: 1.0 / scale for element, scale in sorted(scales.items())}
        n_numbers = 2 * sum(len(scale) for scale in self._inverse.values())
        self.n_features = min(n_numbers, _N_FEATURES)
        draws = np.random.default_rng(_SEED).normal(size=(n_numbers, _N_FEATURES)) if n_numbers > _N_FEATURES else None
        self._projection = None if draws is None else draws / np.sqrt(_N_FEATURES)

    @classmethod
    def of(cls, potential: "PodPotential") -> "DescriptorFeatures":
        """Return the features whose scales are the spreads among the environments of the active sets."""
        scales = {}
        for element, active in potential.active_sets.items():
            # A potential may be saved without these environments; they follow from what makes coordinates of them, but
            # only as well as that can be inverted.
            rows = active.rows if len(active.rows) else np.linalg.pinv(active.projection, rcond=_RCOND)[:, 1:]
            spread = np.nan_to_num(rows.std(axis=0), nan=0.0, posinf=0.0)
            least = _LEAST * float(np.median(spread))
            scales[element] = np.maximum(spread, least) if least > 0 else np.ones_like(spread)
        return cls(scales)

    def of_frame(self, symbols: Sequence[str], descriptors: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return (n_features,) of a frame.

        Parameters
        ----------
        symbols
            Of its atoms.
        descriptors
            (n_atoms, n_descriptors).
        """
        names = np.asarray(symbols)
        parts = []
        for element, inverse in self._inverse.items():
            own = descriptors[names == element]
            parts += [own.mean(axis=0) * inverse, own.std(axis=0) * inverse] if len(own) else [0 * inverse] * 2
        numbers = np.concatenate(parts)
        return np.asarray(numbers if self._projection is None else numbers @ self._projection, dtype=np.float32)


def descriptor_features(potential: "PodPotential", frames: "Sequence[Atoms]") -> NDArray[np.float32]:
    """Return (n_frames, n_features), as a segment with the same potential would give them.

    Features of two potentials are not comparable: their scales differ.
    """
    from mlip_sse.potentials.pod.descriptors import DescriptorEngine

    features = DescriptorFeatures.of(potential)
    with DescriptorEngine(potential.recipe, potential.elements) as engine:
        rows = [features.of_frame(atoms.get_chemical_symbols(), engine.atomic(atoms)) for atoms in frames]
    return np.array(rows, dtype=np.float32)


def radial_features(atoms: "Atoms") -> NDArray[np.float32]:
    """Return (n_features,) for a potential without descriptors: how many neighbours at which distance, by elements.

    For each ordered pair of elements, mean and standard deviation over the atoms of the first of
    Σ_j exp(−(r_ij − r_k)²/2w²), at distances r_k up to 6 Å.
    """
    from ase.neighborlist import neighbor_list

    first, second, distances = neighbor_list("ijd", atoms, _CUTOFF_A)
    smeared = np.exp(-0.5 * ((distances[:, None] - _CENTRES_A) / _WIDTH_A) ** 2)
    names = np.array(atoms.get_chemical_symbols())
    parts = []
    for one in sorted(set(names.tolist())):
        for other in sorted(set(names.tolist())):
            chosen = (names[first] == one) & (names[second] == other)
            sums = np.zeros((len(atoms), len(_CENTRES_A)))
            np.add.at(sums, first[chosen], smeared[chosen])
            parts += [sums[names == one].mean(axis=0), sums[names == one].std(axis=0)]
    return np.concatenate(parts).astype(np.float32)
