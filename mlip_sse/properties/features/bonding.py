"""How tightly elements are bound, alone and in pairs: for stiffness, hardness, expansion and melting.

Of the elements as solids: moduli, expansion, boiling point and volume, mixed by fraction. Of the compound: valence
electrons per volume of its elements, the filling of its d states, and means over pairs of atoms drawn at random,

    ⟨m⟩ = Σ_ij x_i x_j m_ij

of what makes a bond short, polar or uneven. A solid of short bonds and of many electrons in little room is stiff
(Cohen: K ∝ d^−3.5), and what is boiled at a high temperature expands little.

References
----------
M. L. Cohen, Phys. Rev. B 32, 7988 (1985), 10.1103/PhysRevB.32.7988.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from ase.data import covalent_radii

from mlip_sse.properties.composition import N_ELEMENTS, element_fractions
from mlip_sse.properties.features.elements import MAGPIE, element_values, magpie_table

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["Bonding"]

Floats = npt.NDArray[np.float64]

_SOLIDS = {
    "bulk_modulus": ("elemental_bulk_modulus_gpa", 1.0),
    "rigidity_modulus": ("elemental_shear_modulus_gpa", 1.0),
    "coefficient_of_linear_thermal_expansion": ("elemental_expansion_1e-6_per_k", 1e6),
    "boiling_point": ("boiling_temperature_k", 1.0),
    "velocity_of_sound": ("elemental_sound_m_s", 1.0),
    "ionization_energy": ("ionization_energy_ev", 1.0),
    "electron_affinity": ("electron_affinity_ev", 1.0),
}
"""Of each of pymatgen's element properties: what it is called here, and the factor to that unit."""

_STATISTICS = ("mean", "mean_deviation", "minimum", "maximum")
_PAIRS = (
    "pair_polarity", "pair_polarity_squared", "pair_ionicity", "pair_length_a", "pair_inverse_length_power",
    "pair_volume_misfit", "pair_stiffness_gpa", "pair_boiling_density_k_a3",
)  # fmt: skip
_COMPOUND = (
    "electrons_per_volume_a3", "sp_electrons_per_volume_a3", "d_electrons_per_volume_a3", "d_filling", "d_half_filling",
    "boiling_per_volume_k_a3", "unlike_pairs", "n_elements", "largest_fraction",
)  # fmt: skip


@dataclass(frozen=True)
class Bonding:
    """Elements as solids, pairs of atoms, and electrons per volume; nan where no element of a row is tabulated."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        solids = (f"{statistic}_{name}" for name, _ in _SOLIDS.values() for statistic in _STATISTICS)
        return (*solids, *_PAIRS, *_COMPOUND)

    def featurize(self, compositions: Sequence[str], structures: Sequence["Structure | None"] = ()) -> Floats:
        """Return the features, (n_rows, n_features)."""
        fractions = element_fractions(compositions)
        solids = [_statistics(fractions, values) for values in _solids().T]
        pairs = [np.einsum("ij,ij->i", fractions @ matrix, fractions) for matrix in _pair_matrices()]
        return np.column_stack([*solids, *pairs, _of_compound(fractions)])


def _statistics(fractions: Floats, values: Floats) -> Floats:
    """Return mean, mean deviation, minimum and maximum over the elements that have a value, (n_rows, 4)."""
    known = np.isfinite(values)
    shares, numbers = fractions[:, known], values[known]
    total = shares.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = shares @ numbers / total
        deviation = np.einsum("ij,ij->i", shares, np.abs(numbers[None, :] - mean[:, None])) / total
    there = shares > 0
    lowest = np.where(there, numbers, np.inf).min(axis=1)
    highest = np.where(there, numbers, -np.inf).max(axis=1)
    found = np.column_stack([mean, deviation, lowest, highest])
    found[total <= 0] = np.nan
    return found


@lru_cache(maxsize=1)
def _solids() -> Floats:
    return np.column_stack([factor * element_values(name) for name, (_, factor) in _SOLIDS.items()])


def _magpie(name: str) -> Floats:
    found: Floats = magpie_table()[:, list(MAGPIE).index(name)]
    return found


@lru_cache(maxsize=1)
def _pair_matrices() -> Floats:
    """Return the matrices over pairs of elements in the order of `_PAIRS`, (8, 103, 103)."""
    electronegativity = _filled(element_values("X"))
    radii = covalent_radii[1 : N_ELEMENTS + 1]
    volumes = _magpie("GSvolume_pa")
    stiffness = _filled(element_values("bulk_modulus"))
    binding = _filled(element_values("boiling_point")) / volumes
    polarity = np.abs(electronegativity[:, None] - electronegativity[None, :])
    length = radii[:, None] + radii[None, :]
    return np.stack(
        [
            polarity,
            polarity**2,
            1.0 - np.exp(-(polarity**2) / 4.0),
            length,
            length**-3.5,
            (volumes[:, None] - volumes[None, :]) ** 2 / (volumes[:, None] + volumes[None, :]) ** 2,
            np.sqrt(stiffness[:, None] * stiffness[None, :]),
            np.sqrt(binding[:, None] * binding[None, :]),
        ]
    )


def _of_compound(fractions: Floats) -> Floats:
    volume = fractions @ _magpie("GSvolume_pa")
    electrons = {shell: fractions @ _magpie(f"N{shell}Valence") for shell in ("s", "p", "d")}
    holes = fractions @ _magpie("NdUnfilled")
    all_electrons = fractions @ _magpie("NValence")
    with np.errstate(invalid="ignore", divide="ignore"):
        filling = np.nan_to_num(electrons["d"] / (electrons["d"] + holes))
    boiling = fractions @ _filled(element_values("boiling_point"))
    return np.column_stack(
        [
            all_electrons / volume,
            (electrons["s"] + electrons["p"]) / volume,
            electrons["d"] / volume,
            filling,
            filling * (1.0 - filling),
            boiling / volume,
            1.0 - (fractions**2).sum(axis=1),
            np.count_nonzero(fractions, axis=1),
            fractions.max(axis=1),
        ]
    )


def _filled(values: Floats) -> Floats:
    """Return values with the median of all elements where one is unknown."""
    return np.where(np.isfinite(values), values, np.nanmedian(values))
