"""What a VASP run's tags say about time and temperature."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MolecularDynamics", "molecular_dynamics"]


@dataclass(frozen=True)
class MolecularDynamics:
    """Time step in fs and temperature in K where the tags state them, and in words why where they do not."""

    timestep_fs: float | None
    temperature_k: float | None
    notes: tuple[str, ...] = ()


def molecular_dynamics(tags: Mapping[str, str]) -> MolecularDynamics:
    """Read time step and temperature from INCAR tags.

    POTIM is a time only where IBRION = 0. Every ionic step is written to vasprun.xml and OUTCAR whatever NBLOCK says;
    the exception is the prediction-only mode of machine-learned force fields, where ML_OUTBLOCK thins the output in a
    way that depends on VASP's version, so that the spacing is left to the user. TEBEG is the temperature only where a
    thermostat holds it and TEEND equals it.

    Parameters
    ----------
    tags
        Tag to value as printed, from the run's own list of parameters.
    """
    if _number(tags, "IBRION") != 0:
        return MolecularDynamics(None, None, ("IBRION is not 0: not molecular dynamics, so POTIM is not a time step",))
    notes = []
    timestep = _number(tags, "POTIM")
    if timestep is not None and not timestep > 0:
        timestep = None
    if _is_prediction_only(tags):
        timestep = None
        notes.append(
            "a machine-learned force field ran alone: frames may be ML_OUTBLOCK steps apart; state the spacing"
        )
    begin, end = _number(tags, "TEBEG"), _number(tags, "TEEND")
    temperature = begin if begin is not None and begin > 0 and begin == end else None
    if begin != end:
        notes.append(f"TEBEG {begin} and TEEND {end} differ: a ramp has no one temperature")
    if temperature is not None and not _has_thermostat(tags):
        temperature = None
        notes.append(
            "no thermostat held TEBEG (SMASS = -3): the run is microcanonical, and its temperature is not known"
        )
    return MolecularDynamics(timestep, temperature, tuple(notes))


def _is_prediction_only(tags: Mapping[str, str]) -> bool:
    if not tags.get("ML_LMLFF", "F").strip(" .").upper().startswith("T"):
        return False
    mode = tags.get("ML_MODE", "").strip().lower()
    return mode in ("run", "predict") or _number(tags, "ML_ISTART") == 2 or not (mode or "ML_ISTART" in tags)


def _has_thermostat(tags: Mapping[str, str]) -> bool:
    algorithm = _number(tags, "MDALGO") or 0.0
    if algorithm >= 2:
        return True
    if algorithm == 1 and (_number(tags, "ANDERSEN_PROB") or 0.0) > 0:
        return True
    mass = _number(tags, "SMASS")
    return mass is not None and mass > -3


def _number(tags: Mapping[str, str], name: str) -> float | None:
    try:
        return float(tags[name].split()[0])
    except (KeyError, ValueError, IndexError):
        return None
