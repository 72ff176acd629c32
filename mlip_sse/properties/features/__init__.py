"""Features of compositions and structures: each a frozen dataclass with names, units in them, and `featurize`.

>>> from mlip_sse.properties.features import feature_matrix
>>> names, values = feature_matrix(["fractions"], ["Li6PS5Cl"], [None])
>>> round(float(values[0, names.index("fraction_Li")]), 3)
0.462
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from mlip_sse.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from pymatgen.core import Structure

__all__ = ["FEATURES", "Featurizer", "feature_matrix", "featurizer"]


class Featurizer(Protocol):
    """What every block of features is."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features; a unit that is none of eV, Å, fs, K, e is part of the name."""
        ...

    def featurize(
        self, compositions: Sequence[str], structures: Sequence["Structure | None"]
    ) -> npt.NDArray[np.float64]:
        """Return the features, (n_rows, n_features), nan where there is nothing to compute one from."""
        ...


_AT = "mlip_sse.properties.features."
FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "magpie": f"{_AT}composition:Magpie",
        "fractions": f"{_AT}composition:Fractions",
        "ionic_chemistry": f"{_AT}composition:IonicChemistry",
        "bonding": f"{_AT}bonding:Bonding",
        "ranked_elements": f"{_AT}ranked:RankedElements",
        "element_movers": f"{_AT}movers:ElementMovers",
        "superionic_screen": f"{_AT}screen:SuperionicScreen",
        "cell_and_symmetry": f"{_AT}crystal:CellAndSymmetry",
        "site_disorder": f"{_AT}crystal:SiteDisorder",
        "hierarchical": f"{_AT}crystal:HierarchicalDescriptors",
        "voronoi_voids": f"{_AT}voids:VoronoiVoids",
        "ewald_sites": f"{_AT}electrostatics:EwaldSites",
        "bond_valence": f"{_AT}bond_valence:BondValencePaths",
    }
)
"""Where each block lies, by its name in a recipe; imported on first use."""


def featurizer(name: str, **settings: Any) -> Featurizer:
    """Return a block of features by name.

    Raises
    ------
    InputError
        When there is no such block or setting; the message lists those that are.
    """
    if name not in FEATURES:
        raise InputError(f"no features {name!r}, expected one of {', '.join(FEATURES)}{did_you_mean(name, FEATURES)}")
    module, made = FEATURES[name].split(":")
    kind = getattr(import_module(module), made)
    known = list(kind.__dataclass_fields__)
    for key in settings:
        if key not in known:
            raise InputError(f"features {name}: no setting {key!r}, expected one of {', '.join(known) or 'none'}")
    block: Featurizer = kind(**settings)
    return block


def feature_matrix(
    blocks: Sequence[str | Featurizer], compositions: Sequence[str], structures: Sequence["Structure | None"]
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Return names and values of several blocks side by side, (n_rows, n_features).

    Raises
    ------
    InputError
        When two blocks have a feature of one name, or there are not as many structures as compositions.
    """
    if len(compositions) != len(structures):
        raise InputError(f"found {len(compositions)} compositions and {len(structures)} structures, expected as many")
    made = [featurizer(block) if isinstance(block, str) else block for block in blocks]
    names = tuple(name for block in made for name in block.names)
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"found features twice: {', '.join(twice[:5])}; give each block once")
    values = [block.featurize(compositions, structures) for block in made]
    return names, np.concatenate(values, axis=1) if values else np.empty((len(compositions), 0))
