"""Encoders: what turns a row into numbers that a head reads, for several members of an ensemble at once.

Every weight has the member as its first axis, so that one matrix product serves all members. Four encoders:

- ``mlp``: features through layers of SiLU.
- ``composition``: the element fractions of a row weigh learnt vectors of the elements; then layers as above.
- ``set``: each element is three numbers (electronegativity, covalent radius, valence electrons); one network turns them
  into a vector and an attention weight a, and a row is the mean and the spread of its vectors with weights
  fraction · e^a. Elements that no training row holds are still placed by their three numbers.
- ``pairs``: elements begin as what is known of them and take in messages of pairs; `mlip_sse.properties.models.pairs`.

References
----------
Jha et al., Sci. Rep. 8, 17593 (2018), 10.1038/s41598-018-35934-y (composition networks); Goodall and Lee, Nat. Commun.
11, 6280 (2020), 10.1038/s41467-020-19964-7 (sets of elements).
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mlip_sse.properties.models.pairs import KNOWN, encode_pairs, pair_layers

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Encoding", "Weights", "element_numbers", "encode", "first_weights"]

Encoding = Literal["mlp", "composition", "set", "pairs"]
Weights = dict[str, "Tensor"]
Floats = npt.NDArray[np.float64]


@lru_cache(maxsize=1)
def element_numbers() -> Floats:
    """Return electronegativity, covalent radius and valence electrons of H to Lr, standardised, (103, 3)."""
    from ase.data import covalent_radii
    from pymatgen.core import Element

    from mlip_sse.properties.composition import N_ELEMENTS

    rows = np.zeros((N_ELEMENTS, 3))
    for number in range(1, N_ELEMENTS + 1):
        element = Element.from_Z(number)
        noble = element.group == 18
        group = element.group
        valence = 3 if element.is_lanthanoid or element.is_actinoid else group if group <= 12 else group - 10
        rows[number - 1] = (math.nan if noble else float(element.X), covalent_radii[number], valence)
    gaps = ~np.isfinite(rows)
    rows[gaps] = np.broadcast_to(np.nanmedian(rows, axis=0), rows.shape)[gaps]
    standardised: Floats = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return standardised


def first_weights(
    encoding: Encoding, n_inputs: int, n_hidden: int, n_layers: int, n_members: int, n_outputs: int, with_kelvin: bool
) -> Weights:
    """Return random weights of encoder and head by name; the generator of torch is to be seeded before."""
    import torch

    weights: Weights = {}

    def layer(name: str, n_in: int, n_out: int, scale: float = 1.0) -> None:
        weights[f"{name}.w"] = scale * torch.randn(n_members, n_in, n_out, dtype=torch.float32) * math.sqrt(2.0 / n_in)
        weights[f"{name}.b"] = torch.zeros(n_members, 1, n_out, dtype=torch.float32)

    width = n_inputs
    if encoding == "composition":
        weights["elements"] = 2.0 * torch.randn(n_members, n_inputs, n_hidden, dtype=torch.float32)
        width = n_hidden
    elif encoding == "set":
        layer("element0", 3, n_hidden)
        layer("element1", n_hidden, n_hidden)
        layer("attention", n_hidden, 1, 0.1)
        width = 2 * n_hidden
    elif encoding == "pairs":
        from mlip_sse.properties.features.knowledge import element_knowledge

        weights[KNOWN] = torch.as_tensor(element_knowledge(), dtype=torch.float32)
        for shape in pair_layers(weights[KNOWN].shape[1], n_hidden):
            layer(*shape)
        width = 2 * n_hidden
    for number in range(n_layers):
        layer(f"layer{number}", width + (1 if number == 0 and with_kelvin else 0), n_hidden)
        width = n_hidden
    layer("head", width, n_outputs, 0.1)
    return weights


def encode(encoding: Encoding, weights: Weights, rows: "Tensor", kelvin: "Tensor | None", dropout: float) -> "Tensor":
    """Return the outputs of the head, (n_members, n_rows, n_outputs).

    Parameters
    ----------
    encoding, weights
        What `first_weights` made.
    rows
        (n_rows, n_inputs) features or fractions; or (n_members, n_rows, n_inputs), where each member sees its own.
    kelvin
        (…, n_rows, 1) reduced inverse temperature where it is an input like any other, else None.
    dropout
        Share of the hidden numbers that are dropped; 0 to predict.
    """
    import torch

    def layer(name: str, x: "Tensor") -> "Tensor":
        return torch.matmul(x, weights[f"{name}.w"]) + weights[f"{name}.b"]

    n_members = len(weights["head.w"])
    x = rows if rows.ndim == 3 else rows.expand(n_members, *rows.shape)
    if encoding == "composition":
        x = torch.matmul(x, weights["elements"])
    elif encoding == "set":
        table = torch.as_tensor(element_numbers(), dtype=x.dtype).expand(n_members, -1, -1)
        vectors = layer("element1", torch.nn.functional.silu(layer("element0", table)))
        share = x * torch.exp(layer("attention", vectors)).transpose(1, 2)
        share = share / share.sum(dim=2, keepdim=True).clamp_min(1e-12)
        mean = torch.matmul(share, vectors)
        square = torch.matmul(share, vectors**2)
        x = torch.cat([mean, torch.sqrt((square - mean**2).clamp_min(1e-6))], dim=2)
    elif encoding == "pairs":
        x = encode_pairs(weights[KNOWN], layer, x)
    if kelvin is not None:
        x = torch.cat([x, kelvin.expand(*x.shape[:2], 1)], dim=2)
    number = 0
    while f"layer{number}.w" in weights:
        x = torch.nn.functional.silu(layer(f"layer{number}", x))
        x = torch.nn.functional.dropout(x, dropout, training=dropout > 0)
        number += 1
    return layer("head", x)
