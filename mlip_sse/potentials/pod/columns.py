"""The columns of the linear system: which descriptor of which element stands where, as LAMMPS orders them.

Column ``e (1 + n_descriptors)`` counts the atoms of element ``e``; behind it follow the descriptors of that element.
The order inside is that of LAMMPS' `compute pod/global`; each column carries a name made of chemical symbols, so that
the columns of a potential for Li and S are found again among those of one for Li, P and S.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.specs import PodSpec

__all__ = ["canonical_order", "column_names", "embedding", "n_descriptors"]

_FOUR_BODY_FUNCTIONS = (1, 2, 4, 7, 11, 16, 23)
_FOUR_BODY_DEGREES = (0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6)

_Function = tuple[tuple[str, ...], int, int]


def canonical_order(elements: Iterable[str]) -> tuple[str, ...]:
    """Return the elements by atomic number, the order of the columns in every POD potential."""
    return canonical_group(tuple(set(elements)))


def canonical_group(elements: Sequence[str]) -> tuple[str, ...]:
    """Return the same elements, repeated ones too, by atomic number."""
    from ase.data import atomic_numbers

    return tuple(sorted(elements, key=lambda symbol: int(atomic_numbers[symbol])))


def n_descriptors(spec: PodSpec, n_elements: int) -> int:
    """Return the number of descriptors of each atom, without the one that counts it."""
    from ase.data import chemical_symbols

    return len(_descriptor_names(spec, tuple(chemical_symbols[1 : 1 + n_elements])))


def column_names(spec: PodSpec, elements: Sequence[str]) -> tuple[str, ...]:
    """Return the name of every column for elements in the order that LAMMPS is told."""
    inside = _descriptor_names(spec, tuple(elements))
    return tuple(name for centre in elements for name in (centre, *(f"{centre}:{rest}" for rest in inside)))


def embedding(spec: PodSpec, elements: Sequence[str], union: Sequence[str]) -> NDArray[np.int64]:
    """Return where each column of a potential for ``elements`` stands in one for ``union``.

    Raises
    ------
    InputError
        When the union lacks one of the columns: LAMMPS' four-body functions, and products of functions, change with the
        order of the elements, so that beyond three bodies ``elements`` must stand in the order of the union.
    """
    places = {name: place for place, name in enumerate(column_names(spec, union))}
    names = column_names(spec, elements)
    if missing := [name for name in names if name not in places]:
        raise InputError(
            f"found {len(missing)} columns of {', '.join(elements)} that {', '.join(union)} lacks, such as "
            f"{missing[0]}, expected the order {', '.join(union)}: beyond three bodies it cannot be changed"
        )
    return np.array([places[name] for name in names], dtype=np.int64)


def _descriptor_names(spec: PodSpec, elements: tuple[str, ...]) -> list[str]:
    three, four = list(_three_body(spec, elements)), list(_four_body(spec, elements))
    names = [f"2 {element} {m}" for element in elements for m in range(spec.two_body)]
    names += [f"3 {_shown(function)}" for function in three]
    names += [f"4 {_shown(function)}" for function in four]
    n_three, n_four = spec.three_body.angular + 1, _n_four_body(spec)
    sets = (
        (5, spec.five_body, three, n_three, three, n_three),
        (6, spec.six_body, three, n_three, four, n_four),
        (7, spec.seven_body, four, n_four, four, n_four),
    )
    for order, body, first, n_first, second, n_second in sets:
        if body.radial:
            names += [
                f"{order} {pair}" for pair in _products(first, n_first, second, n_second, body.radial, body.angular)
            ]
    return names


def _shown(function: _Function) -> str:
    group, radial, angular = function
    return f"{'-'.join(group)} {radial} {angular}"


def _three_body(spec: PodSpec, elements: tuple[str, ...]) -> Iterator[_Function]:
    for pair in combinations_with_replacement(elements, 2):
        for m in range(spec.three_body.radial):
            for p in range(spec.three_body.angular + 1):
                yield canonical_group(pair), m, p


def _n_four_body(spec: PodSpec) -> int:
    return _FOUR_BODY_FUNCTIONS[spec.four_body.angular]


def _four_body(spec: PodSpec, elements: tuple[str, ...]) -> Iterator[_Function]:
    for triple in combinations_with_replacement(elements, 3):
        for m in range(spec.four_body.radial):
            for p in range(_n_four_body(spec)):
                yield triple, m, p


def _products(
    first: list[_Function], n_first: int, second: list[_Function], n_second: int, n_radial: int, degree: int
) -> Iterator[str]:
    """Name the products that LAMMPS keeps; their order in the file is the order of the two loops here."""
    first_groups = list(dict.fromkeys(group for group, _, _ in first))
    second_groups = list(dict.fromkeys(group for group, _, _ in second))
    for one in first:
        for other in second:
            group_order = second_groups.index(other[0]) >= first_groups.index(one[0])
            inner_order = other[1] * n_second + other[2] >= one[1] * n_first + one[2]
            total = _degree(one) + _degree(other)
            if group_order and inner_order and total <= degree and one[1] + other[1] < n_radial:
                yield f"{_shown(one)} x {_shown(other)}"


def _degree(function: _Function) -> int:
    return function[2] if len(function[0]) == 2 else _FOUR_BODY_DEGREES[function[2]]
