"""From labelled frames to normal equations: of each frame nothing is kept but sums and chosen environments."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import InputError
from mlip_sse.potentials.pod.close_pairs import closest_distances, pressed_pair_rows
from mlip_sse.potentials.pod.descriptors import DescriptorEngine, FrameRows
from mlip_sse.potentials.pod.normal_equations import EquationSums
from mlip_sse.potentials.pod.short_range_core import core_calculator
from mlip_sse.potentials.pod.specs import PodSpec

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from mlip_sse.dataset import LabelledFrame
    from mlip_sse.potentials.uncertainty.active_set import ActiveSet

__all__ = ["Environments", "Labels", "accumulate", "fitted_labels", "weighted_rows"]

Labels = tuple[float, NDArray[np.float64], NDArray[np.float64] | None]
"""Energy in eV, forces (n_atoms, 3) in eV/Å, volume times stress (6,) in eV or None."""

_ENVIRONMENTS_AT_ONCE = 20_000


def accumulate(
    frames: "Sequence[LabelledFrame]",
    spec: PodSpec,
    elements: Sequence[str],
    sums: EquationSums,
    environments: "Environments | None" = None,
    report: Callable[[int], None] = lambda _: None,
    *,
    close_pairs: bool = True,
) -> None:
    """Add frames to sums.

    Parameters
    ----------
    frames
        Labelled frames, periodic in three directions.
    spec
        The recipe.
    elements
        In the order of the columns.
    sums
        Grows by each frame.
    environments
        Takes the environments of each frame, where given.
    report
        Called with the number of frames done.
    close_pairs
        Whether pairs of each frame are pressed together, to teach repulsion; not for frames that validate.

    Raises
    ------
    InputError
        When a frame holds an element that is not in ``elements``, is not periodic, or was counted already.
    """
    for frame in frames:
        _require_fittable(frame, elements)
        sums.require_new(frame.id)
    core = core_calculator(spec.core, elements)
    try:
        with DescriptorEngine(spec, elements) as engine:
            for done, frame in enumerate(frames, start=1):
                atoms = frame.to_atoms()
                rows = engine.rows(atoms, virial=frame.stress is not None and spec.weights.virial > 0)
                design, target, weight = weighted_rows(rows, fitted_labels(frame, core), spec)
                n_rows = {"energy": 1, "force": 3 * frame.n_atoms, "virial": 0 if rows.virial is None else 6}
                if close_pairs and spec.core.prior > 0:
                    pressed = pressed_pair_rows(atoms, frame.id, engine, spec.core, core)
                    design, target = np.vstack([design, pressed[0]]), np.concatenate([target, pressed[1]])
                    n_rows["pair"] = len(pressed[1])
                sums.add(
                    frame.id,
                    (design, target, weight),
                    n_rows,
                    factor=spec.weights.groups.get(frame.group, 1.0),
                    fingerprint={
                        frame.fingerprint.digest: frame.fingerprint.model_dump(mode="json", exclude_none=True)
                    },
                    closest=closest_distances(atoms),
                )
                if environments is not None:
                    environments.add(frame.symbols, rows.atomic)
                report(done)
    finally:
        if core is not None:
            core.close()


def fitted_labels(frame: "LabelledFrame", core: "Calculator | None") -> Labels:
    """Return energy, forces and virial of a frame without the core's share."""
    energy, forces = frame.energy, np.array(frame.forces)
    virial = None if frame.stress is None else frame.volume * np.array(frame.stress)
    if core is not None:
        structure = frame.to_atoms()
        structure.calc = core
        energy -= structure.get_potential_energy()
        forces -= structure.get_forces()
        if virial is not None:
            virial -= frame.volume * structure.get_stress()
    return energy, forces, virial


def weighted_rows(
    rows: FrameRows, labels: Labels, spec: PodSpec
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return rows and labels times their weights, and the sum of the squared weights.

    Parameters
    ----------
    rows
        Of one frame.
    labels
        Of the same frame.
    spec
        The recipe; energy and virial weigh per atom.

    Returns
    -------
    rows : (n_rows, n_columns)
    labels : (n_rows,)
    weight
    """
    energy, forces, virial = labels
    n_atoms, weights, n_columns = len(forces), spec.weights, len(rows.energy)
    scale = weights.energy / n_atoms
    design = [scale * rows.energy[None], weights.force * rows.forces.reshape(-1, n_columns)]
    target = [np.array([scale * energy]), weights.force * forces.ravel()]
    total = weights.energy**2 + forces.size * weights.force**2
    if rows.virial is not None and virial is not None:
        scale = weights.virial / n_atoms
        design.append(scale * rows.virial)
        target.append(scale * virial)
        total += 6 * weights.virial**2
    return np.vstack(design), np.concatenate(target), total


class Environments:
    """The environments of each element that span all that was seen, chosen while the frames stream by.

    Parameters
    ----------
    known
        Active sets to go on from.
    relative_cutoff
        Of `select_active_set`.
    """

    def __init__(self, known: "Mapping[str, ActiveSet] | None" = None, relative_cutoff: float = 1e-6) -> None:
        self._relative_cutoff = relative_cutoff
        self._waiting: dict[str, list[NDArray[np.float64]]] = {}
        self._chosen: dict[str, ActiveSet] = dict(known or {})

    def add(self, symbols: Sequence[str], atomic: NDArray[np.float64]) -> None:
        """Take the environments of a frame: the element of each atom, and its descriptors (n_atoms, n_descriptors)."""
        for element in sorted(set(symbols)):
            waiting = self._waiting.setdefault(element, [])
            waiting.append(atomic[np.array(symbols) == element])
            if sum(map(len, waiting)) >= _ENVIRONMENTS_AT_ONCE:
                self._choose(element)

    def active_sets(self) -> "dict[str, ActiveSet]":
        """Return the active set of each element seen."""
        for element in sorted(self._waiting):
            self._choose(element)
        return dict(sorted(self._chosen.items()))

    def _choose(self, element: str) -> None:
        from mlip_sse.potentials.uncertainty.active_set import merge_active_sets, select_active_set

        if waiting := self._waiting.pop(element, []):
            found = select_active_set(np.vstack(waiting), relative_cutoff=self._relative_cutoff)
            old = self._chosen.get(element)
            if old is not None:
                found = merge_active_sets(old, found, relative_cutoff=self._relative_cutoff)
            self._chosen[element] = found


def _require_fittable(frame: "LabelledFrame", elements: Sequence[str]) -> None:
    name = f"frame {frame.place} of {frame.group!r}"
    if stray := sorted(set(frame.symbols) - set(elements)):
        raise InputError(
            f"found {', '.join(stray)} in {name}, expected the elements {', '.join(elements)} of the recipe"
        )
    if not all(frame.pbc):
        raise InputError(f"found {name} not periodic, expected three periodic directions")
