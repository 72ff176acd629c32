"""The normal equations of weighted least squares, kept with the potential: they add, so that fits need no old frames.

    G = Σ_f Aᵀ W A      b = Σ_f Aᵀ W y      s = Σ_f yᵀ W y

over frames f with rows A, labels y and squared weights W. Adding a frame adds its terms; joining two fits adds their
equations. Each bootstrap member k holds the same sums with every frame weighted by n_fk, exponential of mean 1 and
drawn from the frame's id alone, so that the members add as well and do not depend on who saw the frame first. Mean and
variance are those of counts drawn with replacement, and so is the spread; but no member lacks a frame, which in
dynamics would be a hole that the potential itself does not have.

References
----------
D. B. Rubin, The Bayesian bootstrap, Ann. Statist. 9, 130 (1981), doi:10.1214/aos/1176345338
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.potentials.pod.array_file import array_bytes, read_arrays

__all__ = ["EquationSums", "NormalEquations", "bootstrap_weights", "require_one_basis"]

_FORMAT = 1
_KINDS = ("energy", "force", "virial", "pair")


def bootstrap_weights(frame_id: str, n_members: int) -> list[float]:
    """Return what each member weighs a frame by: exponential of mean 1, from the id by sha256, everywhere alike."""
    digests = (hashlib.sha256(f"{frame_id} {member}".encode()).digest() for member in range(n_members))
    return [-math.log((int.from_bytes(digest[:8], "big") + 0.5) / 2**64) for digest in digests]


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Sums over the frames seen so far.

    Parameters
    ----------
    elements
        In the order of the columns.
    basis
        What the columns and the weights are, as plain data; only equations of one basis may be added.
    gram
        (1 + n_members, n_columns, n_columns): G of all frames, then of each member.
    moment
        (1 + n_members, n_columns): b.
    square
        (1 + n_members,): s.
    weight
        (1 + n_members,): sum of the squared weights of all rows.
    n_rows
        How many rows of each kind: energy, force, virial, and pairs pressed together.
    frames
        Ids of the frames, each once, sorted.
    fingerprints
        How the labels were made, by digest.
    closest
        The shortest distance in Å of each pair of elements, such as ``Li-S``, over all frames.
    """

    elements: tuple[str, ...]
    basis: Mapping[str, Any]
    gram: NDArray[np.float64]
    moment: NDArray[np.float64]
    square: NDArray[np.float64]
    weight: NDArray[np.float64]
    n_rows: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    frames: tuple[str, ...] = ()
    fingerprints: Mapping[str, Any] = field(default_factory=dict)
    closest: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def empty(
        cls, elements: Sequence[str], basis: Mapping[str, Any], n_columns: int, n_members: int
    ) -> "NormalEquations":
        """Return equations without frames."""
        n_sets = 1 + n_members
        return cls(
            tuple(elements),
            dict(basis),
            np.zeros((n_sets, n_columns, n_columns)),
            np.zeros((n_sets, n_columns)),
            np.zeros(n_sets),
            np.zeros(n_sets),
        )

    @property
    def n_columns(self) -> int:
        """How many columns."""
        return int(self.moment.shape[1])

    @property
    def n_members(self) -> int:
        """How many bootstrap members."""
        return len(self.moment) - 1

    def embedded(self, elements: Sequence[str], n_columns: int, places: NDArray[np.int64]) -> "NormalEquations":
        """Return the same equations among more columns: column i becomes ``places[i]``, the new ones are zero."""
        gram = np.zeros((len(self.gram), n_columns, n_columns))
        gram[:, places[:, None], places] = self.gram
        moment = np.zeros((len(gram), n_columns))
        moment[:, places] = self.moment
        return replace(self, elements=tuple(elements), gram=gram, moment=moment)

    def plus(self, other: "NormalEquations", mixed: Sequence[str] = ()) -> "NormalEquations":
        """Return the sum of two sets of equations of the same columns.

        Parameters
        ----------
        other
            The other equations.
        mixed
            Digests of fingerprints that may stand together although the labels were made in different ways.

        Raises
        ------
        InputError
            When the elements, the basis or the fingerprints differ, or a frame is in both.
        """
        if self.elements != other.elements or self.moment.shape != other.moment.shape:
            raise InputError(
                f"found equations for {', '.join(self.elements)} and {', '.join(other.elements)} with "
                f"{self.moment.shape} and {other.moment.shape} columns, expected the same"
            )
        require_one_basis(self.basis, other.basis)
        if twice := sorted(set(self.frames) & set(other.frames)):
            raise InputError(f"found {len(twice)} frames in both fits, such as {twice[0][:12]}, expected each once")
        return replace(
            self,
            gram=self.gram + other.gram,
            moment=self.moment + other.moment,
            square=self.square + other.square,
            weight=self.weight + other.weight,
            n_rows={kind: self.n_rows[kind] + other.n_rows[kind] for kind in _KINDS},
            frames=tuple(sorted({*self.frames, *other.frames})),
            fingerprints=joined_fingerprints(self.fingerprints, other.fingerprints, mixed),
            closest=_smaller(self.closest, other.closest),
        )

    def to_bytes(self) -> bytes:
        """Return the content of a file; the matrices are symmetric, one half is kept."""
        head = {
            "format": _FORMAT,
            "elements": self.elements,
            "basis": self.basis,
            "n_rows": self.n_rows,
            "frames": self.frames,
            "fingerprints": self.fingerprints,
            "closest": self.closest,
        }
        upper = np.triu_indices(self.n_columns)
        arrays = {"moment": self.moment, "square": self.square, "weight": self.weight}
        return array_bytes(head, {"gram": self.gram[:, upper[0], upper[1]], **arrays})

    @classmethod
    def read(cls, path: str | Path) -> "NormalEquations":
        """Read a file of `to_bytes`; nothing in it is executed.

        Raises
        ------
        FormatError
            When it is another file, damaged, or of another format version.
        """
        head, arrays = read_arrays(path, _FORMAT, ("gram", "moment", "square", "weight"), "normal equations")
        n_sets, n_columns = arrays["moment"].shape
        if arrays["gram"].shape != (n_sets, n_columns * (n_columns + 1) // 2):
            raise FormatError(f"{path}: found a matrix of {arrays['gram'].shape}, expected that of {n_columns} columns")
        gram = np.empty((n_sets, n_columns, n_columns))
        upper = np.triu_indices(n_columns)
        gram[:, upper[0], upper[1]] = arrays["gram"]
        gram[:, upper[1], upper[0]] = arrays["gram"]
        tuples = {"elements": tuple(head.pop("elements")), "frames": tuple(head.pop("frames"))}
        return cls(**{**arrays, **head, **tuples, "gram": gram})


class EquationSums:
    """Equations that grow frame by frame, in place.

    Parameters
    ----------
    start
        What is there already; it is not changed.
    mixed
        Digests of fingerprints that may stand together although the labels were made in different ways.
    """

    def __init__(self, start: NormalEquations, mixed: Sequence[str] = ()) -> None:
        self._start = start
        self._mixed = mixed
        self._gram, self._moment = start.gram.copy(), start.moment.copy()
        self._square, self._weight = start.square.copy(), start.weight.copy()
        self._n_rows = dict(start.n_rows)
        self._frames = set(start.frames)
        self._fingerprints, self._closest = dict(start.fingerprints), dict(start.closest)

    def require_new(self, frame_id: str) -> None:
        """Refuse a frame that was counted already."""
        if frame_id in self._frames:
            raise InputError(f"found frame {frame_id[:12]} twice, expected each frame once: drop the duplicate")

    def add(
        self,
        frame_id: str,
        rows: tuple[NDArray[np.float64], NDArray[np.float64], float],
        n_rows: Mapping[str, int],
        *,
        factor: float = 1.0,
        fingerprint: Mapping[str, Any] | None = None,
        closest: Mapping[str, float] | None = None,
    ) -> None:
        """Add the terms of one frame.

        Parameters
        ----------
        frame_id
            Of the frame; it decides how often each member counts it.
        rows
            Weighted rows (n_rows, n_columns), weighted labels (n_rows,), sum of the squared weights.
        n_rows
            How many rows of each kind.
        factor
            How often the frame counts.
        fingerprint
            Its digest and content, as ``{digest: content}``.
        closest
            Shortest distances in Å of its pairs.

        Raises
        ------
        InputError
            When the frame was counted already, or its labels were made in another way.
        """
        self.require_new(frame_id)
        self._fingerprints = joined_fingerprints(self._fingerprints, fingerprint or {}, self._mixed)
        design, target, weight = rows
        gram, moment, square = design.T @ design, design.T @ target, float(target @ target)
        for place, share in enumerate((1.0, *bootstrap_weights(frame_id, len(self._gram) - 1))):
            self._gram[place] += (share * factor) * gram
            self._moment[place] += (share * factor) * moment
            self._square[place] += share * factor * square
            self._weight[place] += share * factor * weight
        self._n_rows = {kind: number + n_rows.get(kind, 0) for kind, number in self._n_rows.items()}
        self._frames.add(frame_id)
        self._closest = _smaller(self._closest, closest or {})

    def equations(self) -> NormalEquations:
        """Return the sums so far; adding on changes them."""
        return replace(
            self._start,
            gram=self._gram,
            moment=self._moment,
            square=self._square,
            weight=self._weight,
            n_rows=dict(self._n_rows),
            frames=tuple(sorted(self._frames)),
            fingerprints=self._fingerprints,
            closest=self._closest,
        )


def require_one_basis(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Refuse two bases that differ, naming the first settings in which they do."""
    plain = [json.loads(json.dumps(basis)) for basis in (first, second)]
    names = [name for name in sorted({*plain[0], *plain[1]}) if plain[0].get(name) != plain[1].get(name)]
    if names:
        shown = "; ".join(f"{name} {plain[0].get(name)} and {plain[1].get(name)}" for name in names[:3])
        raise InputError(f"found fits with different settings ({shown}), expected the same: fit one of them again")


def joined_fingerprints(
    first: Mapping[str, Any], second: Mapping[str, Any], mixed: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the fingerprints of both; ways of labelling that contradict each other must be named in ``mixed``.

    Raises
    ------
    InputError
        When two contradict each other and are not both named.
    """
    from mlip_sse.dataset import Fingerprint

    for digest, plain in first.items():
        for other_digest, other in second.items():
            if other_digest in first:
                continue
            difference = Fingerprint.parse(plain).difference(Fingerprint.parse(other))
            if difference and not {digest, other_digest} <= set(mixed):
                raise InputError(
                    f"found labels made in two ways ({difference}), expected one; to mix them on purpose name the "
                    f"fingerprints {digest} and {other_digest}"
                )
    return {**first, **second}


def _smaller(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {pair: min(first.get(pair, math.inf), second.get(pair, math.inf)) for pair in sorted({*first, *second})}
