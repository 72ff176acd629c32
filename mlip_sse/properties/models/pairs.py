"""The encoder ``pairs``: elements of a formula that see each other, after composition networks with attention.

An element begins as what is known of it (`element_knowledge`) and its fraction x, through a linear layer each; then,
twice, every element i takes in a message of each pair, and passes a small network of its own:

    t_i ← t_i + W Σ_j x_j silu(U t_i + V t_j),   t_i ← t_i + W₂ silu(W₁ t_i)

A row is the mean of its elements, weighted by fraction, beside their maximum. The table of the elements is kept with
the weights, so that a stored model needs no other source of it.

References
----------
Wang et al., npj Comput. Mater. 7, 77 (2021), 10.1038/s41524-021-00545-1 (attention over elements); Goodall and Lee,
Nat. Commun. 11, 6280 (2020), 10.1038/s41467-020-19964-7 (messages weighted by fraction).
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["KNOWN", "N_ROUNDS", "encode_pairs", "pair_layers"]

KNOWN = "known"
"""Name of the table of the elements among the weights, (103, n_columns); it is not trained."""

N_ROUNDS = 2

_N_WAVES = 8
_OCTAVES = (0.5, 1.0, 2.0)
_N_FRACTION_NUMBERS = 2 + _N_WAVES + 2 * len(_OCTAVES)


def pair_layers(n_known: int, n_hidden: int) -> list[tuple[str, int, int, float]]:
    """Return name, inputs, outputs and scale of each layer of the encoder."""
    layers = [("known_in", n_known, n_hidden, 0.7), ("fraction_in", _N_FRACTION_NUMBERS, n_hidden, 0.7)]
    for turn in range(N_ROUNDS):
        layers += [
            (f"own{turn}", n_hidden, 2 * n_hidden, 0.7),
            (f"other{turn}", n_hidden, 2 * n_hidden, 0.7),
            (f"message{turn}", 2 * n_hidden, n_hidden, 0.35),
            (f"wide{turn}", n_hidden, 2 * n_hidden, 1.0),
            (f"narrow{turn}", 2 * n_hidden, n_hidden, 0.35),
        ]
    return layers


def encode_pairs(known: "Tensor", layer: Callable[[str, "Tensor"], "Tensor"], rows: "Tensor") -> "Tensor":
    """Return vectors of rows, (n_members, n_rows, 2 n_hidden).

    Parameters
    ----------
    known
        (103, n_columns) of the elements.
    layer
        Applies a layer by name to (n_members, n, n_inputs).
    rows
        (n_members, n_rows, 103) fractions.
    """
    import torch

    n_members, n_rows, _ = rows.shape
    n_elements = max(int((rows > 0).sum(dim=2).max()), 1)
    shares, places = torch.topk(rows, n_elements, dim=2)
    shares = shares.clamp_min(0.0)
    table = layer("known_in", known.to(rows.dtype).expand(n_members, -1, -1))
    n_hidden = table.shape[2]
    member = torch.arange(n_members)[:, None]
    vectors = table[member, places.reshape(n_members, -1)]
    vectors = vectors + layer("fraction_in", _fraction_numbers(shares).reshape(n_members, n_rows * n_elements, -1))
    for turn in range(N_ROUNDS):
        seen = torch.nn.functional.layer_norm(vectors, (n_hidden,))
        own = layer(f"own{turn}", seen).view(n_members, n_rows, n_elements, 1, -1)
        other = layer(f"other{turn}", seen).view(n_members, n_rows, 1, n_elements, -1)
        taken = (torch.nn.functional.silu(own + other) * shares[:, :, None, :, None]).sum(dim=3)
        vectors = vectors + layer(f"message{turn}", taken.reshape(n_members, n_rows * n_elements, -1))
        wide = layer(f"wide{turn}", torch.nn.functional.layer_norm(vectors, (n_hidden,)))
        vectors = vectors + layer(f"narrow{turn}", torch.nn.functional.silu(wide))
    vectors = torch.nn.functional.layer_norm(vectors, (n_hidden,)).view(n_members, n_rows, n_elements, n_hidden)
    mean = (shares[..., None] * vectors).sum(dim=2)
    largest = vectors.masked_fill(shares[..., None] <= 0, -math.inf).amax(dim=2)
    return torch.cat([mean, largest.clamp_min(-10.0)], dim=2)


def _fraction_numbers(shares: "Tensor") -> "Tensor":
    """Return what a layer is shown of fractions: them, their logarithm, and waves over both, (…, 16)."""
    import torch

    octave = torch.log2(shares.clamp_min(1e-3))[..., None]
    turns = math.pi * torch.arange(1, _N_WAVES + 1, dtype=shares.dtype)
    slow = octave * (math.pi / 3.0) * torch.tensor(_OCTAVES, dtype=shares.dtype)
    parts = [shares[..., None], octave / 3.0, torch.cos(shares[..., None] * turns), torch.sin(slow), torch.cos(slow)]
    return torch.cat(parts, dim=-1)
