"""The short-range core as part of a network's energy: screened nuclear repulsion that ends below the bonds.

    E = ½ Σ_ij s(r_ij) Z_i Z_j e²/(4πε₀ r_ij) φ(r_ij/a),   s = 1 − x³(10 − 15x + 6x²),   x = (r − inner)/(outer − inner)

with the universal screening function φ of Ziegler, Biersack and Littmark (1985), as in LAMMPS' pair_style zbl. s is 1
below ``inner`` and 0 above ``outer``, so that the network need not cancel the core where the atoms of the data are.
This module imports torch and nequip; it is named in settings and loaded by nequip's builder only.

References
----------
J. F. Ziegler, J. P. Biersack, "The Stopping and Range of Ions in Matter",
doi:10.1007/978-1-4615-8103-1_3
"""

from collections.abc import Sequence
from typing import Any

import torch
from nequip.data import AtomicDataDict
from nequip.model import model_builder
from nequip.nn import AtomwiseReduce, ForceStressOutput, SequentialGraphNetwork, scatter, with_edge_vectors_
from nequip.nn.embedding import EdgeLengthNormalizer
from nequip.nn.pair_potential import ZBL

__all__ = ["CoreOnly", "ShortRangeCore"]


class ShortRangeCore(ZBL):  # type: ignore[misc]
    """Repulsion between ``inner`` and ``outer`` Å and below.

    Parameters
    ----------
    type_names, chemical_species
        The elements.
    inner, outer
        In Å: where the switch begins, and where the core is zero.
    irreps_in
        Given by nequip's builder.
    """

    def __init__(
        self,
        type_names: Sequence[str],
        chemical_species: Sequence[str],
        inner: float,
        outer: float,
        irreps_in: Any = None,
    ) -> None:
        super().__init__(list(type_names), list(chemical_species), units="metal", irreps_in=irreps_in)
        self.inner, self.outer = inner, outer

    def forward(self, data: Any) -> Any:
        """Add the core to the energies of the atoms."""
        data = with_edge_vectors_(data, with_lengths=True)
        field = self.per_atom_energy_field
        n_atoms = data[field].size(0) if field in data else AtomicDataDict.num_nodes(data)
        lengths = data[AtomicDataDict.EDGE_LENGTH_KEY].view(-1)
        edges = data[AtomicDataDict.EDGE_INDEX_KEY]
        repulsion = self._zbl(
            Z=self.atomic_numbers,
            r=lengths,
            atom_types=data[AtomicDataDict.ATOM_TYPE_KEY],
            edge_index=edges,
            qqr2exesquare=self._qqr2exesquare,
        )
        x = torch.clamp((lengths - self.inner) / (self.outer - self.inner), 0.0, 1.0)
        switch = 1.0 - x * x * x * (10.0 - 15.0 * x + 6.0 * x * x)
        energies = scatter((switch * repulsion).unsqueeze(-1), edges[0], dim=0, dim_size=n_atoms).to(self.model_dtype)
        data[field] = energies + data[field] if field in data else energies
        return data


@model_builder
def CoreOnly(r_max: float, type_names: Sequence[str], inner: float, outer: float) -> Any:  # noqa: N802  a builder
    """Build a network that holds the core alone, to know its share of labels."""
    lengths = EdgeLengthNormalizer(r_max=r_max, type_names=list(type_names))
    core = ShortRangeCore(type_names, type_names, inner, outer, irreps_in=lengths.irreps_out)
    total = AtomwiseReduce(
        reduce="sum",
        field=AtomicDataDict.PER_ATOM_ENERGY_KEY,
        out_field=AtomicDataDict.TOTAL_ENERGY_KEY,
        irreps_in=core.irreps_out,
    )
    return ForceStressOutput(SequentialGraphNetwork({"lengths": lengths, "core": core, "total": total}))
