"""What a static test does not show: energy that drifts, bonds that break, atoms that fall into each other."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet

from mlip_sse.errors import MlipSseError
from mlip_sse.potentials.contract import Potential
from mlip_sse.potentials.gates.bonds import find_bonds, has_collapsed
from mlip_sse.potentials.gates.result import GateResult

__all__ = ["md_stability", "nve_drift"]

_SEED = 11
_DRIFT_LIMIT = 1.0  # meV/atom in 100 ps
_OVERHEAT = 1.2
_HOT = 3.0  # of the thermostat's temperature: it has lost control
_FRICTION = 0.01 / units.fs
_CHECK_FS = 50.0
_N_CHECKS = 10  # a bond counts as broken when it is long at this many checks in a row: half a picosecond
_PARTS = 8
_FEWEST_ATOMS = 40
_N_RUNS = 6


def nve_drift(
    potential: Potential, structures: Sequence[Atoms], *, duration_ps: float = 4.0, timestep_fs: float = 1.0
) -> GateResult:
    """Run the first structure at constant energy at the top temperature of the domain, after a thermostatted start.

    The slope of the total energy must be at most 1 meV/atom in 100 ps, two of its standard errors forgiven, and these
    (of a line through eight parts of the run) no larger than that.
    """
    name, unit = "nve_drift", "meV/atom in 100 ps"
    kelvin = potential.card.temperature_k[1]
    atoms = _start(potential, structures[0], kelvin)
    energies: list[float] = []
    try:
        _langevin(atoms, kelvin, 2 * timestep_fs).run(round(500 / timestep_fs))
        steady = VelocityVerlet(atoms, timestep_fs * units.fs)
        steady.attach(lambda: energies.append(float(atoms.get_total_energy())))
        steady.run(round(duration_ps * 1000 / timestep_fs))
    except (MlipSseError, FloatingPointError, ValueError) as error:
        return GateResult(name, False, None, _DRIFT_LIMIT, unit, f"the run at {kelvin:g} K stopped: {error}")
    per_atom = 1000 * np.array(energies) / len(atoms)
    if not np.isfinite(per_atom).all():
        return GateResult(name, False, None, _DRIFT_LIMIT, unit, f"the run at {kelvin:g} K lost its energy")
    parts = np.array([part.mean() for part in np.array_split(per_atom, _PARTS)])
    times = (np.arange(_PARTS) - 0.5 * (_PARTS - 1)) * duration_ps / _PARTS
    slope = float((times * parts).sum() / (times**2).sum())
    residuals = parts - parts.mean() - slope * times
    uncertain = float(np.sqrt((residuals**2).sum() / (_PARTS - 2) / (times**2).sum()))
    drift, uncertain = 100 * abs(slope), 100 * uncertain
    words = f"{duration_ps:g} ps at {kelvin:g} K, steps of {timestep_fs:g} fs, standard error {uncertain:.2g}"
    passed = drift - 2 * uncertain <= _DRIFT_LIMIT and uncertain <= _DRIFT_LIMIT
    return GateResult(name, passed, drift, _DRIFT_LIMIT, unit, words)


def md_stability(
    potential: Potential,
    structures: Sequence[Atoms],
    *,
    n_runs: int = _N_RUNS,
    duration_ps: float = 20.0,
    timestep_fs: float = 2.0,
    progress: Callable[[float], None] | None = None,
) -> GateResult:
    """Run at 1.2 times the top temperature of the domain, several times, from the structures in turn.

    ``found`` is how long the shortest run held, in ps: until a covalent bond of the start structure stayed longer than
    one and a half times its length for half a picosecond, two atoms came closer than any bond, or the temperature ran
    away. One run says little: a potential whose runs broke in four of six cases passed by the fifth.
    """
    kelvin = _OVERHEAT * potential.card.temperature_k[1]
    held, words, n_bonds = [], [], 0
    for number in range(n_runs):
        atoms = _start(potential, structures[number % len(structures)], kelvin, _SEED + 100 * number)
        told = None if progress is None else (lambda share, k=number: progress((k + share) / n_runs))
        held_ps, reason, n_found = _hold(atoms, kelvin, duration_ps, timestep_fs, _SEED + 100 * number, told)
        held.append(held_ps)
        n_bonds = max(n_bonds, n_found)
        if reason:
            words.append(f"run {number + 1}: {reason} at {held_ps:.1f} ps")
    text = "; ".join(words) or f"{n_bonds} covalent bonds held in {n_runs} runs"
    size = len(structures[0])
    return GateResult("md_stability", not words, min(held), duration_ps, "ps", f"{text}; {size} atoms at {kelvin:g} K")


def _hold(
    atoms: Atoms,
    kelvin: float,
    duration_ps: float,
    timestep_fs: float,
    seed: int,
    progress: Callable[[float], None] | None,
) -> tuple[float, str, int]:
    """Run until the end or until something breaks; return the time in ps, what broke, and how many bonds there were."""
    bonds = find_bonds(atoms)
    in_a_row = np.zeros(len(bonds), dtype=int)
    every = max(1, round(_CHECK_FS / timestep_fs))
    n_steps = round(duration_ps * 1000 / timestep_fs)
    dynamics = _langevin(atoms, kelvin, timestep_fs, seed)
    try:
        for step in range(0, n_steps, every):
            dynamics.run(min(every, n_steps - step))
            in_a_row = np.where(bonds.broken(atoms), in_a_row + 1, 0)
            if reason := _trouble(atoms, kelvin, in_a_row, bonds.pairs):
                return (step + every) * timestep_fs / 1000, reason, len(bonds)
            if progress is not None:
                progress(min(1.0, (step + every) / n_steps))
    except (MlipSseError, FloatingPointError, ValueError) as error:
        return dynamics.get_time() / units.fs / 1000, f"the run stopped: {error}", len(bonds)
    return duration_ps, "", len(bonds)


def _trouble(atoms: Atoms, kelvin: float, in_a_row: Any, pairs: Any) -> str:
    if not np.isfinite(atoms.positions).all() or atoms.get_temperature() > _HOT * kelvin:
        return f"the temperature reached {atoms.get_temperature():.0f} K"
    if collapsed := has_collapsed(atoms):
        return f"a hole: {collapsed}"
    if len(in_a_row) and in_a_row.max() >= _N_CHECKS:
        first, second = pairs[int(in_a_row.argmax())]
        return f"broken: {atoms.symbols[first]} {first} and {atoms.symbols[second]} {second}"
    return ""


def _start(potential: Potential, structure: Atoms, kelvin: float, seed: int = _SEED) -> Atoms:
    atoms: Atoms = structure.copy()
    while len(atoms) < _FEWEST_ATOMS:  # a small cell fluctuates too much to show a drift
        atoms = atoms.repeat(tuple(2 if axis == atoms.cell.lengths().argmin() else 1 for axis in range(3)))
    atoms.calc = potential.calculator()
    spread = np.sqrt(atoms.get_masses() * units.kB * kelvin)[:, None]
    momenta = spread * np.random.default_rng(seed).normal(size=(len(atoms), 3))
    atoms.set_momenta(momenta - momenta.mean(axis=0))
    return atoms


def _langevin(atoms: Atoms, kelvin: float, timestep_fs: float, seed: int = _SEED) -> Langevin:
    return Langevin(
        atoms,
        timestep_fs * units.fs,
        temperature_K=kelvin,
        friction=_FRICTION,
        fixcm=False,
        rng=np.random.default_rng(seed + 1),
    )
