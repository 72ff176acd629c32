"""Read a LAMMPS log: how far a run is, what it measured, and why it stopped."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlip_sse.errors import FormatError

__all__ = ["PRODUCTION_MARK", "LogFollower", "ThermoTable", "failure_reason", "lammps_version", "read_thermo"]

PRODUCTION_MARK = "mlip-sse: production"
FINISHED_MARK = "mlip-sse: finished"

_STEP_ROW = re.compile(r"^ *(\d+)(?: +[-+0-9.eE]+){5} *$", re.MULTILINE)


class LogFollower:
    """How many MD steps a running LAMMPS has done, from what it has written so far.

    Parameters
    ----------
    path
        The log; it need not exist yet.
    preparation_steps
        Steps before production, where the step counter starts again.
    """

    def __init__(self, path: Path, preparation_steps: int) -> None:
        self.path = path
        self.preparation_steps = preparation_steps
        self._offset = 0
        self._tail = ""
        self._in_production = False
        self._steps = 0

    def steps(self) -> int:
        """Return the steps done; reads only what is new in the log."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as log:
                log.seek(self._offset)
                new = log.read()
                self._offset = log.tell()
        except FileNotFoundError:
            return 0
        _, mark, after = (self._tail + new).rpartition(f"\n{PRODUCTION_MARK}\n")
        self._in_production = self._in_production or bool(mark)
        text = after if mark else self._tail + new
        self._tail = text[text.rfind("\n") :] if "\n" in text else text
        rows = _STEP_ROW.findall(text[: text.rfind("\n") + 1])
        if rows:
            self._steps = int(rows[-1]) + (self.preparation_steps if self._in_production else 0)
        return self._steps


@dataclass(frozen=True, eq=False)
class ThermoTable:
    """The thermodynamic output of production.

    Parameters
    ----------
    steps : (n,) MD steps
    temperatures_k : (n,) K
    total_energies : (n,) eV
    pressures_gpa : (n,) GPa
    densities_g_cm3 : (n,) g/cm³
    """

    steps: NDArray[np.int64]
    temperatures_k: NDArray[np.float64]
    total_energies: NDArray[np.float64]
    pressures_gpa: NDArray[np.float64]
    densities_g_cm3: NDArray[np.float64]


def read_thermo(text: str) -> ThermoTable:
    """Return the thermodynamic output of the production stage.

    Raises
    ------
    FormatError
        When the log holds no production stage, or fewer than two rows of it.
    """
    _, mark, production = text.rpartition(f"\n{PRODUCTION_MARK}\n")
    rows = [match.group(0).split() for match in _STEP_ROW.finditer(production)] if mark else []
    if len(rows) < 2:
        raise FormatError(f"found {len(rows)} rows of thermodynamic output in production, expected two or more")
    table = np.array(rows, dtype=np.float64)
    return ThermoTable(
        steps=table[:, 0].astype(np.int64),
        temperatures_k=table[:, 1],
        total_energies=table[:, 3],
        pressures_gpa=table[:, 4] * 1e-4,
        densities_g_cm3=table[:, 5],
    )


def failure_reason(log: str, screen: str) -> str:
    """Return why LAMMPS stopped, in one line: its last ERROR, else the last thing it said."""
    for text in (log, screen):
        lines = text.splitlines()
        found = [i for i, line in enumerate(lines) if line.startswith("ERROR")]
        if found:
            reason = " ".join(lines[found[-1]].split())
            told = [line.strip() for line in lines[found[-1] :] if line.startswith("Last ")]
            return f"{reason} ({told[-1]})" if told else reason
    said = [line.strip() for line in f"{log}\n{screen}".splitlines() if line.strip()]
    return f"no ERROR line; it last said {said[-1][:200]!r}" if said else "it said nothing"


def lammps_version(log: str) -> str:
    """Return the version line of a log, such as ``22 Jul 2025 - Update 4``, or ``unknown``."""
    match = re.match(r"LAMMPS \(([^)]*)\)", log)
    return match.group(1) if match else "unknown"
