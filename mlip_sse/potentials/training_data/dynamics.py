"""Trajectories with the reference's own forces: every kept frame is a label that costs nothing more.

After each kept frame positions, velocities and the state of the random numbers are on disk, so that a run that was
killed goes on from its last frame and gives the numbers it would have given, to the rounding of the calculator.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlip_sse.dataset import Fingerprint, LabelledFrame
from mlip_sse.errors import InputError
from mlip_sse.potentials.training_data.kept_files import KeptFolder, seed_from
from mlip_sse.potentials.training_data.specs import MdSpec
from mlip_sse.potentials.training_data.starts import GetCalculator
from mlip_sse.references import Gates
from mlip_sse.references.backend import label_with_calculator
from mlip_sse.references.gates import require_label
from mlip_sse.structures import scale_volume

if TYPE_CHECKING:
    from ase import Atoms

__all__ = ["run_trajectory"]

_HOTTEST = 6.0
"""Times the temperature asked for; beyond it the trajectory has broken."""


def run_trajectory(
    start: "Atoms",
    wanted: MdSpec,
    folder: KeptFolder,
    calculator: GetCalculator,
    fingerprint: Fingerprint,
    gates: Gates,
    group: str,
    progress: Callable[[int], None],
) -> tuple[list[LabelledFrame], str]:
    """Run, or go on with, one trajectory.

    Velocities are drawn at 1.6 times the temperature (at a relaxed start half of it goes into the potential energy),
    then Langevin dynamics hold it.

    Parameters
    ----------
    start
        The structure to start from.
    wanted
        Temperature, length, spacing.
    folder
        Where its pieces are kept; its input decides the random numbers.
    calculator
        Gives the reference's calculator; not asked for when all frames are there.
    fingerprint, gates
        Those of the reference.
    group
        Group of the frames.
    progress
        Called with how many frames there are, after each.

    Returns
    -------
    tuple
        The frames, and why it stopped early; empty where it did not.
    """
    pieces = _pieces(start, wanted, folder, calculator, fingerprint)
    frames: list[LabelledFrame] = []
    for place, piece in enumerate(pieces):
        frame = LabelledFrame(
            symbols=tuple(start.get_chemical_symbols()),
            cell=np.array(piece["cell"]),
            positions=np.array(piece["positions"]),
            energy=piece["energy"],
            forces=np.array(piece["forces"]),
            stress=np.array(piece["stress"]),
            fingerprint=fingerprint,
            group=group,
            place=place,
        )
        try:
            require_label(frame, gates)
        except InputError as error:
            return frames, f"stopped after {len(frames)} frames: {error}"
        if piece["temperature_k"] > _HOTTEST * wanted.temperature_k:
            return frames, f"stopped after {len(frames)} frames: found {piece['temperature_k']:.0f} K, it has broken"
        frames.append(frame)
        progress(len(frames))
    return frames, ""


def _pieces(
    start: "Atoms", wanted: MdSpec, folder: KeptFolder, calculator: GetCalculator, fingerprint: Fingerprint
) -> Iterator[dict[str, Any]]:
    """Yield the kept frames, those on disk first, then those that are computed now."""
    run: _Run | None = None
    last: dict[str, Any] | None = None
    for place in range(wanted.n_frames):
        name = f"{place:05d}"
        piece = folder.read(name)
        if piece is None:
            if run is None:
                run = _Run(start, wanted, calculator(), fingerprint, folder, last)
            piece = run.next_piece(wanted.every)
            folder.write(name, piece)
        last = piece
        yield piece


class _Run:
    """Langevin dynamics from the start, or from the last piece of an earlier run."""

    def __init__(
        self,
        start: "Atoms",
        wanted: MdSpec,
        calculator: Any,
        fingerprint: Fingerprint,
        folder: KeptFolder,
        last: dict[str, Any] | None,
    ) -> None:
        from ase import units
        from ase.md.langevin import Langevin

        self._fingerprint, self._calculator = fingerprint, calculator
        self._rng = np.random.default_rng(seed_from(folder.read("input") or {}))
        self._atoms = scale_volume(start, wanted.volume_change)
        self._atoms.calc = calculator
        if last is None:
            self._atoms.set_momenta(_momenta(self._atoms, 1.6 * wanted.temperature_k, self._rng))
        else:
            self._atoms.positions = np.array(last["positions"])
            self._atoms.set_momenta(np.array(last["momenta"]))
            self._rng.bit_generator.state = last["random"]
        self._dynamics = Langevin(
            self._atoms,
            wanted.timestep_fs * units.fs,
            temperature_K=wanted.temperature_k,
            friction=wanted.friction_per_fs / units.fs,
            fixcm=False,  # the centre of mass may wander: labels do not depend on it
            rng=self._rng,
        )
        if last is None and wanted.warm_up_steps:
            self._dynamics.run(wanted.warm_up_steps)

    def next_piece(self, n_steps: int) -> dict[str, Any]:
        """Run to the next frame to keep, and return it with all that is needed to go on."""
        self._dynamics.run(n_steps)
        computed = label_with_calculator(self._atoms, self._calculator, self._fingerprint)
        if computed.stress is None:
            raise InputError(f"{self._fingerprint.describe()} gives no stress, expected a reference that does")
        return {
            "cell": self._atoms.cell.array.tolist(),
            "positions": self._atoms.positions.tolist(),
            "momenta": self._atoms.get_momenta().tolist(),
            "energy": computed.energy,
            "forces": computed.forces.tolist(),
            "stress": computed.stress.tolist(),
            "temperature_k": float(self._atoms.get_temperature()),
            "random": self._rng.bit_generator.state,
        }


def _momenta(atoms: "Atoms", temperature_k: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw momenta of the Maxwell-Boltzmann distribution, the cell as a whole at rest."""
    from ase import units

    masses = atoms.get_masses()[:, None]
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(masses * units.kB * temperature_k)
    drift: NDArray[np.float64] = momenta.sum(axis=0) / masses.sum()
    return np.asarray(momenta - masses * drift)
