"""Lines that decks of segments have in common. Each segment starts from the restart file of the one before it.

It does so in a kill or not: a run that was interrupted writes the same trajectory, byte by byte, as one that was not.
"""

from mlip_sse.md_protocols.deck import DATA_FILE, TRAJECTORY_FILE, number_text
from mlip_sse.potentials import LammpsInput

__all__ = [
    "BAROSTAT_PS",
    "BARS_PER_GPA",
    "DAMP_PS",
    "END_FILE",
    "PREVIOUS_FILE",
    "dump_lines",
    "end_lines",
    "guard_lines",
    "head_lines",
    "potential_lines",
    "velocity_line",
]

END_FILE, PREVIOUS_FILE = "end.restart", "previous.restart"
DAMP_PS, BAROSTAT_PS = 0.1, 1.0
BARS_PER_GPA = 1e4


def head_lines(lines: LammpsInput) -> list[str]:
    """Return units, boundaries and the structure of a first segment."""
    return [
        "units metal",
        "boundary p p p",
        f"atom_style {lines.atom_style}",
        "box tilt large",
        f"read_data {DATA_FILE}",
    ]


def potential_lines(lines: LammpsInput, timestep_fs: float, n_steps: int) -> list[str]:
    """Return the potential, the time step and what goes into the log."""
    return [
        *lines.commands,
        "neighbor 1.5 bin",
        "neigh_modify every 1 delay 0 check yes",
        f"timestep {number_text(timestep_fs / 1000)}",
        f"thermo {max(1, min(1000, n_steps // 50))}",
        "thermo_style custom step temp pe etotal press density",
        "thermo_modify flush yes",
    ]


def velocity_line(temperature_k: float, seed: int) -> str:
    """Return velocities of twice the temperature: half of it goes into the lattice."""
    return f"velocity all create {number_text(2 * temperature_k)} {seed} mom yes rot no dist gaussian"


def guard_lines(temperature_k: float) -> list[str]:
    """Stop what explodes: no thermostat lets a stable run become three times as hot."""
    limit = max(3 * temperature_k, temperature_k + 1500)
    return ["variable hot equal temp", f"fix guard all halt 50 v_hot > {number_text(limit)} error hard message yes"]


def dump_lines(lines: LammpsInput, every: int) -> list[str]:
    """Return what writes the trajectory, every so many steps."""
    return [
        f"dump production all custom {every} {TRAJECTORY_FILE} id type element x y z ix iy iz",
        f"dump_modify production sort id element {' '.join(lines.elements)} units yes time yes format float %.5f",
    ]


def end_lines(n_steps: int) -> list[str]:
    """Return the run itself and what it leaves for the next segment."""
    return [
        'print "mlip-sse: production"',
        f"run {n_steps}",
        f"write_restart {END_FILE}",
        'print "mlip-sse: finished"',
        "",
    ]
