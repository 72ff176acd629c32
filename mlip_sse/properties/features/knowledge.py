"""What a network knows of each element before it sees a table: tabulated numbers, and vectors learnt from abstracts.

The numbers are Magpie's, those of elements as solids, Miedema's parameters of alloys, cohesive energy and place in
Pettifor's order. The vectors are of words: elements that abstracts name in like surroundings lie near each other. Of
their 200 directions the widest are kept.

References
----------
Tshitoyan et al., Nature 571, 95 (2019), 10.1038/s41586-019-1335-8 (vectors, as matminer ships them); de Boer et al.,
Cohesion in Metals (North-Holland, 1988) (parameters of alloys); Ward et al., npj Comput. Mater. 2, 16028 (2016),
10.1038/npjcompumats.2016.28 (Magpie).
"""

import csv
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from ase.data import chemical_symbols, covalent_radii

from mlip_sse.properties.composition import N_ELEMENTS
from mlip_sse.properties.features.elements import MODIFIED_PETTIFOR, element_values, magpie_table

__all__ = ["element_knowledge"]

Floats = npt.NDArray[np.float64]

_N_DIRECTIONS = 32
_SYMBOLS = chemical_symbols[1 : N_ELEMENTS + 1]
_SOLIDS = ("X", "bulk_modulus", "rigidity_modulus", "boiling_point", "coefficient_of_linear_thermal_expansion")
_ALLOYS = (
    "molar_volume", "electron_density", "electronegativity", "valence_electrons", "R_const", "H_trans",
    "compressibility", "shear_modulus", "structural_stability",
)  # fmt: skip


@lru_cache(maxsize=1)
def element_knowledge() -> Floats:
    """Return what is known of H to Lr, (103, n_columns), standardised; an unknown number is the median of all.

    Raises
    ------
    MissingExtraError
        Without matminer, which ships the tables.
    """
    numbers = np.column_stack(
        [
            magpie_table(),
            *(element_values(name) for name in _SOLIDS),
            covalent_radii[1 : N_ELEMENTS + 1],
            [MODIFIED_PETTIFOR.index(symbol) for symbol in _SYMBOLS],
            _cohesive_energies(),
            _alloy_parameters(),
        ]
    )
    numbers = np.where(np.isfinite(numbers), numbers, np.nanmedian(numbers, axis=0))
    spread = numbers.std(axis=0)
    standardised = np.clip((numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1.0), -3.0, 3.0)
    found: Floats = np.hstack([standardised, _word_vectors()])
    return found


def _cohesive_energies() -> Floats:
    from matminer.utils.data import CohesiveEnergyData

    found = CohesiveEnergyData(impute_nan=True).cohesive_energy_data
    return np.array([found[symbol] for symbol in _SYMBOLS], dtype=np.float64)


def _alloy_parameters() -> Floats:
    """Return Miedema's parameters, (103, n_parameters), nan where he has none."""
    text = (files("matminer.utils.data_files") / "Miedema.csv").read_text(encoding="utf-8")
    found = np.full((N_ELEMENTS, len(_ALLOYS)), np.nan)
    for row in csv.DictReader(text.splitlines()):
        if row["element"] in _SYMBOLS:
            found[_SYMBOLS.index(row["element"])] = [float(row[name] or "nan") for name in _ALLOYS]
    return found


def _word_vectors() -> Floats:
    """Return the widest directions of the vectors, (103, 32), of standard deviation one over all of them together."""
    from matminer.utils.data import MatscholarElementData

    found = MatscholarElementData(impute_nan=True).all_element_data
    vectors = np.array([list(found[symbol].values()) for symbol in _SYMBOLS], dtype=np.float64)
    centred = vectors - vectors.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:_N_DIRECTIONS]
    along = centred @ directions.T
    kept: Floats = along / along.std()
    return kept
