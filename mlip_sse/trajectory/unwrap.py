"""Unwrapping: sums of minimum-image fractional increments, each times the cell of its own frame.

r(t) = r(0) + Σ_{τ ≤ t} [Δs(τ) - rint Δs(τ)] · H(τ),    Δs(τ) = s(τ) - s(τ - 1),

with s the fractional coordinates and H the cell, both in a Minkowski-reduced basis, where the nearest image is the
rounded one. A change of the cell moves no atom: the affine breathing of a constant-pressure run, which positions
carry and which grows with the distance travelled, does not enter. Coordinates that a program unwrapped already
(LAMMPS ``xu``) go through the same sum without the rounding, for they carry the same breathing.

A step of more than 0.4 of a reduced cell vector cannot be told from a step the other way round and is refused.

References
----------
S. von Bülow, J. T. Bullerjahn, G. Hummer, J. Chem. Phys. 153, 021101 (2020), doi:10.1063/5.0008316
M. Kulke, J. V. Vermaas, J. Chem. Theory Comput. 18, 6161 (2022), doi:10.1021/acs.jctc.2c00327
I. Semaev, Lect. Notes Comput. Sci. 2146, 181 (2001), doi:10.1007/3-540-44670-2_13 (reduction in three dimensions)
"""

from collections.abc import Callable
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import Coordinates, FrameChunk
from mlip_sse.trajectory.increments import advance
from mlip_sse.trajectory.periodic_cells import possible_cells

__all__ = ["LARGEST_STEP", "Unwrapper", "reduction_of", "unwrap"]

LARGEST_STEP = 0.4
"""Largest allowed step between frames in reduced cell vectors."""

_LARGEST_STRAIN = 0.2
_FARTHEST = 1e6
"""Cell vectors from the origin beyond which a coordinate is damage, not diffusion."""

_LARGEST_JUMP = 2.5
"""Largest difference of wrapped coordinates in the file's cell vectors before the nearest image is taken."""


def reduction_of(cell: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the integer matrix M, |det M| = 1, for which M · cell is Minkowski-reduced.

    Parameters
    ----------
    cell : (3, 3) Å, rows are the cell vectors

    Returns
    -------
    (3, 3) whole numbers
    """
    if not possible_cells(np.asarray(cell, dtype=np.float64)[None])[0]:
        raise FormatError(
            f"a cell has no volume or is not finite: {np.asarray(cell).tolist()}; three vectors are needed"
        )
    integers = np.eye(3, dtype=np.int64)
    for _ in range(1000):
        vectors = integers @ cell
        order = np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")
        integers, vectors = integers[order], vectors[order]
        a, b, c = vectors
        integers[1] -= round(float(a @ b / (a @ a))) * integers[0]
        b = integers[1] @ cell
        best = _nearest_in_plane(a, b, c)
        integers[2] -= best[0] * integers[0] + best[1] * integers[1]
        longest = np.linalg.norm(integers @ cell, axis=1)
        if longest[1] >= longest[0] * (1 - 1e-12) and longest[2] >= longest[1] * (1 - 1e-12):
            return integers
    raise FormatError(f"cell {np.asarray(cell).tolist()} cannot be reduced; it is degenerate")


def _nearest_in_plane(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> tuple[int, int]:
    """Return (m, n) for which c - m a - n b is shortest."""
    gram = np.array([[a @ a, a @ b], [a @ b, b @ b]])
    m, n = (round(float(value)) for value in np.linalg.solve(gram, np.array([a @ c, b @ c])))
    candidates = [(0, 0)] + [(m + i, n + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    lengths = [float(np.sum((c - i * a - j * b) ** 2)) for i, j in candidates]
    best = int(np.argmin(lengths))
    return candidates[best] if lengths[best] < lengths[0] * (1 - 1e-12) else (0, 0)


class Unwrapper:
    """Unwraps frames chunk by chunk; what the last frame was is carried along.

    Parameters
    ----------
    coordinates
        What the frames' coordinates are.
    describe
        Turns an atom's index into words for messages.
    label
        Name of the file, for messages.

    Attributes
    ----------
    frame
        Number of the next frame in its file, for messages; whoever joins files sets it together with ``label``.
    """

    def __init__(
        self,
        coordinates: Coordinates,
        describe: Callable[[int], str] = lambda atom: f"atom {atom}",
        label: str = "trajectory",
    ) -> None:
        self._fractional = coordinates.name.startswith("FRACTIONAL")
        self._unwrapped = coordinates.name.endswith("_UNWRAPPED")
        self._describe, self.label = describe, label
        self.frame = 0
        self._with_images = False
        self.n_recells = 0
        self.reduction = np.eye(3, dtype=np.int64)
        self._fractions: NDArray[np.float64] | None = None
        self._positions: NDArray[np.float64] = np.empty((0, 3))
        self._cell: NDArray[np.float64] = np.eye(3)

    @property
    def scheme(self) -> str:
        """What was done, in words."""
        rounded = "of the nearest image"
        if self._unwrapped or self._with_images:
            rounded = "as they are" if self._unwrapped else "by image flags, which agree with the nearest image,"
        cells = f"; the file chooses other cell vectors {self.n_recells} times" if self.n_recells else ""
        return (
            f"unwrapped: fractional steps {rounded} times the cell of their own frame, cell vectors reduced by "
            f"{self.reduction.tolist()}{cells}"
        )

    @property
    def fractions(self) -> NDArray[np.float64]:
        """Fractional coordinates of the last frame in the file's own cell vectors, (n_atoms, 3)."""
        if self._fractions is None:
            raise InputError("no frame has been unwrapped yet")
        return self._fractions @ self.reduction

    def feed(self, chunk: FrameChunk, out: NDArray[np.floating]) -> None:
        """Unwrap the next frames.

        Parameters
        ----------
        chunk
            The frames; their images are used where they are there and the coordinates are wrapped.
        out : (n, n_atoms, 3) Å
            Receives the unwrapped positions.

        Raises
        ------
        FormatError
            For coordinates or cells that are not finite, too long a step, contradictory image flags.
        """
        cells = np.asarray(chunk.cells, dtype=np.float64)
        first = 0
        if self._fractions is None:
            self._begin(chunk, cells[0])
        for stop, change in [*self._recells(cells), (len(cells), None)]:
            if stop > first:
                self._segment(chunk, cells, first, stop, out)
                first = stop
            if change is not None:
                self._rebase(cells[stop], change, np.asarray(chunk.coordinates[stop], dtype=np.float64))
        self.frame += len(cells)

    def _begin(self, chunk: FrameChunk, cell: NDArray[np.float64]) -> None:
        self._check_finite(chunk, 0)
        frame = np.asarray(chunk.coordinates[0], dtype=np.float64)
        self.reduction = reduction_of(cell)
        self._positions = frame @ cell if self._fractional else frame.copy()
        own = frame if self._fractional else frame @ np.linalg.inv(cell)
        self._with_images = chunk.images is not None and not self._unwrapped
        if chunk.images is not None and not self._unwrapped:
            own = own + chunk.images[0]
        self._check_near(own, 0)
        self._fractions = own @ np.linalg.inv(self.reduction)
        self._cell = cell

    def _recells(self, cells: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
        """Return the frames at which other vectors of the same lattice are chosen, with N: H(t) ≈ N · H(t - 1)."""
        before = np.concatenate([self._cell[None], cells[:-1]])
        self._cell = cells[-1]
        if (cells == before).all():
            return []
        if not np.isfinite(cells).all():
            t = int(np.flatnonzero(~np.isfinite(cells).all(axis=(1, 2)))[0])
            raise FormatError(f"{self.label}: frame {self.frame + t}: the cell is not finite; cut the run before it")
        change = cells @ np.linalg.inv(before)
        whole = np.rint(change)
        wrong = (np.abs(change - whole).max(axis=(1, 2)) > _LARGEST_STRAIN) | (
            np.abs(np.linalg.det(whole)).round() != 1
        )
        if wrong.any():
            t = int(np.flatnonzero(wrong)[0])
            raise FormatError(
                f"{self.label}: frame {self.frame + t}: the cell changes by more than {_LARGEST_STRAIN:.0%} from "
                "the frame before; frames must follow each other closely: is it another run?"
            )
        changed = np.flatnonzero((whole != np.eye(3)).any(axis=(1, 2)))
        steps = [(int(t), whole[t]) for t in changed]
        if steps or not self._still_reduced(cells[0]):
            self.n_recells += len(steps)
            if not steps or steps[0][0] > 0:
                steps.insert(0, (0, np.eye(3)))
        return steps

    def _still_reduced(self, cell: NDArray[np.float64]) -> bool:
        """Say whether rounding still finds the nearest image, a little slack allowed."""
        gram = (self.reduction @ cell) @ (self.reduction @ cell).T
        lengths = np.diag(gram)
        return bool((np.abs(gram) <= 0.55 * np.minimum(lengths[:, None], lengths[None]) + np.diag(lengths)).all())

    def _rebase(self, cell: NDArray[np.float64], change: NDArray[np.float64], frame: NDArray[np.float64]) -> None:
        """Express the last frame in the vectors of the next, whose coordinates are ``frame``."""
        own = self.fractions @ np.linalg.inv(change)
        if not (self._unwrapped or self._with_images):  # wrapped in other vectors, it may lie several of these away
            own += np.rint((frame if self._fractional else frame @ np.linalg.inv(cell)) - own)
        self.reduction = reduction_of(cell)
        self._fractions = own @ np.linalg.inv(self.reduction)

    def _segment(
        self, chunk: FrameChunk, cells: NDArray[np.float64], first: int, stop: int, out: NDArray[np.floating]
    ) -> None:
        if self._fractions is None:
            raise InputError("no frame has been unwrapped yet")
        inverse: NDArray[np.float64] = np.linalg.inv(self.reduction)
        reduced: NDArray[np.float64] = self.reduction @ cells[first:stop]
        to_fraction: NDArray[np.float64]
        if self._fractional:
            to_fraction = np.broadcast_to(inverse, reduced.shape)
        elif (cells[first:stop] == cells[first]).all():
            to_fraction = np.broadcast_to(np.linalg.inv(reduced[0]), reduced.shape)
        else:
            to_fraction = np.asarray(np.linalg.inv(reduced), dtype=np.float64)
        images = np.empty((0, 0, 0), np.int64)
        if chunk.images is not None and not self._unwrapped:
            images = np.ascontiguousarray(chunk.images[first:stop], dtype=np.int64)
        with_images = images.shape[0] > 0
        failed = advance(
            np.ascontiguousarray(chunk.coordinates[first:stop]),
            images,
            np.ascontiguousarray(to_fraction),
            inverse,
            np.ascontiguousarray(reduced),
            self._fractions,
            self._positions,
            out[first:stop],
            not (self._unwrapped or with_images),
            _FARTHEST if self._unwrapped else LARGEST_STEP,
            # a wrapped coordinate jumps by one of the file's own vectors, or two; what jumps farther is damaged
            np.full(3, _FARTHEST) if self._unwrapped else _LARGEST_JUMP * np.abs(inverse).sum(axis=0),
        )
        if failed >= 0:
            n_atoms = len(self._positions)
            self._refuse(chunk, cells, first + failed // n_atoms, failed % n_atoms)

    def _check_finite(self, chunk: FrameChunk, t: int) -> None:
        bad = np.flatnonzero(~np.isfinite(chunk.coordinates[t]).all(axis=1))
        if bad.size:
            raise FormatError(
                f"{self.label}: frame {self.frame + t}, {self._describe(int(bad[0]))}: a coordinate is not finite; "
                "the run has blown up: cut it before that frame"
            )

    def _check_near(self, own: NDArray[np.float64], t: int) -> None:
        far = np.flatnonzero(np.abs(own).max(axis=1) > _FARTHEST)
        if far.size:
            raise FormatError(
                f"{self.label}: frame {self.frame + t}, {self._describe(int(far[0]))}: lies "
                f"{np.abs(own[far[0]]).max():.1e} cell vectors away; it is damaged or has blown up: cut it before "
                "that frame"
            )

    def _refuse(self, chunk: FrameChunk, cells: NDArray[np.float64], t: int, atom: int) -> NoReturn:
        self._check_finite(chunk, t)
        frame = np.asarray(chunk.coordinates[t], dtype=np.float64)
        self._check_near(frame if self._fractional else frame @ np.linalg.inv(cells[t]), t)
        where = f"{self.label}: frame {self.frame + t}, {self._describe(atom)}"
        if chunk.images is not None and not self._unwrapped and t > 0:
            pair = chunk.coordinates[t - 1 : t + 1, atom].astype(np.float64)
            own = pair if self._fractional else np.einsum("td,tde->te", pair, np.linalg.inv(cells[t - 1 : t + 1]))
            step = own[1] - own[0]
            if np.abs(step - np.rint(step)).max() <= LARGEST_STEP:
                counted = (chunk.images[t, atom] - chunk.images[t - 1, atom]).tolist()
                raise FormatError(
                    f"{where}: the image flags contradict the coordinates: they change by {counted}, the "
                    f"coordinates by {np.round(step, 3).tolist()} cell vectors; dump both at the same step, or "
                    "leave the flags out"
                )
        raise FormatError(
            f"{where}: moved by more than {LARGEST_STEP} of a cell vector since the frame before, so that its path "
            "cannot be told; store frames more often, or dump unwrapped coordinates (LAMMPS xu yu zu)"
        )


def unwrap(
    coordinates: NDArray[np.floating],
    cells: NDArray[np.float64],
    *,
    kind: Coordinates = Coordinates.CARTESIAN_UNKNOWN,
    images: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Unwrap whole arrays.

    Parameters
    ----------
    coordinates : (n_frames, n_atoms, 3) Å or fractional, as ``kind`` says
    cells : (n_frames, 3, 3) Å
    images : (n_frames, n_atoms, 3), optional

    Returns
    -------
    (n_frames, n_atoms, 3) Å, starting from the first frame's positions
    """
    out = np.empty(coordinates.shape)
    Unwrapper(kind).feed(FrameChunk(coordinates, cells, images), out)
    return out
