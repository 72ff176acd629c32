"""Write the LAMMPS deck and data file of one run.

The frame of the deck is the template in `md_protocols/`; what fills it are numbers, chemical symbols and the lines of a
potential, all checked before. No other text reaches a deck.
"""

import string
from hashlib import sha256
from pathlib import Path

import numpy as np

from mlip_sse.catalogue import search_path
from mlip_sse.errors import CatalogueError
from mlip_sse.md_protocols.specs import DiffusionSpec
from mlip_sse.potentials import LammpsInput
from mlip_sse.potentials.lammps_data import data_text

__all__ = [
    "CURRENT_FILE",
    "DATA_FILE",
    "DECK_FILE",
    "TRAJECTORY_FILE",
    "current_lines",
    "data_text",
    "deck_text",
    "inputs_sha256",
    "number_text",
    "seeds_of",
]

TRAJECTORY_FILE = "production.lammpstrj"
CURRENT_FILE = "charge_current.txt"
DECK_FILE = "in.lammps"
DATA_FILE = "structure.data"

_EQUILIBRATION_DAMP_PS = 0.1
_N_THERMO_LINES = 200


class _Deck(string.Template):
    delimiter = "@"  # $ belongs to LAMMPS


def deck_text(spec: DiffusionSpec, lines: LammpsInput, temperature_k: float, seed: int) -> str:
    """Return the deck of one temperature and one seed."""
    start = 2 * temperature_k if spec.melt is None else 2 * spec.melt.temperature_k  # half goes into the lattice
    velocities = " vx vy vz" if spec.dump_velocities else ""
    velocity_seed, thermostat_seed = seeds_of(seed, temperature_k)
    return _Deck(_template(f"{spec.protocol}.in")).substitute(
        atom_style=lines.atom_style,
        potential="\n".join(lines.commands),
        timestep_ps=number_text(spec.timestep_fs / 1000),
        thermo_every=_thermo_every(spec),
        start_temperature_k=number_text(start),
        seed=velocity_seed,
        preparation="\n".join(_preparation(spec, temperature_k)),
        production="\n".join(_production(spec, lines, temperature_k, thermostat_seed)),
        dump_every=spec.every(spec.dump_every_fs),
        dump_columns=f"id type element x y z ix iy iz{velocities}",
        elements=" ".join(lines.elements),
        production_steps=spec.production_steps,
    )


def _preparation(spec: DiffusionSpec, temperature_k: float) -> list[str]:
    stages = []
    if spec.melt is not None:
        hot = spec.melt.temperature_k
        stages = [(hot, hot, spec.melt.duration_ps), (hot, temperature_k, spec.melt.cooling_ps)]
    stages.append((temperature_k, temperature_k, spec.equilibration_ps))
    lines = []
    for first, last, duration_ps in stages:
        if steps := spec.steps(duration_ps):
            span = f"{number_text(first)} {number_text(last)} {number_text(_EQUILIBRATION_DAMP_PS)}"
            lines += [f"fix             hold all nvt temp {span}", f"run             {steps}", "unfix           hold"]
    return lines


def _production(spec: DiffusionSpec, lines: LammpsInput, temperature_k: float, seed: int) -> list[str]:
    kelvin, damp_ps = number_text(temperature_k), number_text(spec.thermostat.time_constant_fs / 1000)
    span = f"{kelvin} {kelvin} {damp_ps}"
    deck = {
        "nose_hoover": [f"fix             move all nvt temp {span}"],
        "csvr": ["fix             move all nve", f"fix             hold all temp/csvr {span} {seed}"],
        "none": ["fix             move all nve"],
    }[spec.thermostat.kind]
    if spec.current_every_fs is not None and lines.charges_e is not None:
        deck += current_lines(spec.every(spec.current_every_fs))
    return deck


def current_lines(every: int) -> list[str]:
    """Return what writes the charge current Σ q v, every so many steps."""
    return [
        *(f"variable        j{axis} atom q*v{axis}" for axis in "xyz"),
        "compute         current all reduce sum v_jx v_jy v_jz",
        f"fix             current all ave/time {every} 1 {every} c_current[*] file {CURRENT_FILE} format ' %.7g'"
        ' title1 "# charge current sum(q v), e Angstrom/ps" title2 "# step Jx Jy Jz"',
    ]


def inputs_sha256(deck: str, data: str, lines: LammpsInput) -> str:
    """Return the hash of all that decides a run: deck, data file, and the potential's files."""
    digest = sha256()
    for part in (deck.encode(), data.encode(), *(file.read_bytes() for file in lines.files)):
        digest.update(sha256(part).digest())
    return digest.hexdigest()


def seeds_of(seed: int, temperature_k: float) -> list[int]:
    """Return a seed for velocities and one for the thermostat, other ones at each temperature."""
    # One stream of random numbers for all temperatures would give them one and the same fluctuation.
    state = np.random.SeedSequence([seed, round(temperature_k * 1000)]).generate_state(2)
    return [int(value) % 899_999_999 + 1 for value in state]


def _template(name: str) -> str:
    for root in search_path():
        path: Path = root / "md_protocols" / name
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise CatalogueError(f"the deck template md_protocols/{name} is missing: install mlip-sse anew")


def _thermo_every(spec: DiffusionSpec) -> int:
    return max(1, min(1000, spec.total_steps // _N_THERMO_LINES))


def number_text(value: float) -> str:
    """Return a number as it may stand in a deck, every digit kept."""
    return repr(float(value))
