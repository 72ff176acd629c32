"""Decks of an interface in time: settled, heated, then Newtonian between thermostats at both ends.

The cell keeps its area from beginning to end and moves along z alone: a barostat that is isotropic, or free in the
plane, would let one material's stress stretch the other. With vacuum it does not move at all.
"""

import numpy as np

from mlip_sse.md_protocols.deck import number_text, seeds_of
from mlip_sse.md_protocols.interface_layers import Layer, Layers
from mlip_sse.md_protocols.interface_specs import InterfaceDynamicsSpec
from mlip_sse.md_protocols.segment_decks import (
    BAROSTAT_PS,
    BARS_PER_GPA,
    DAMP_PS,
    PREVIOUS_FILE,
    dump_lines,
    end_lines,
    guard_lines,
    head_lines,
    potential_lines,
    velocity_line,
)
from mlip_sse.potentials import LammpsInput

__all__ = [
    "STATE_COLUMNS",
    "STATE_FILE",
    "heat_deck",
    "production_deck",
    "settle_deck",
]

STATE_FILE = "state.txt"
STATE_COLUMNS = (
    "step",
    "temperature_k",
    "inner_temperature_k",
    "outer_a_temperature_k",
    "outer_b_temperature_k",
    "potential_energy_ev",
    "conserved_energy_ev",
    "height_a",
    "pressure_z_gpa",
    "heat_left_a_ev",
    "heat_left_b_ev",
)
"""What each row of the state file holds."""

_SAMPLES_PER_FRAME = 10


def settle_deck(spec: InterfaceDynamicsSpec, lines: LammpsInput, temperature_k: float, seed: int) -> str:
    """Return the deck that settles the relaxed interface in its cell, cold."""
    n_steps, cold = spec.steps(spec.settle_ps), number_text(spec.settle_temperature_k)
    return "\n".join(
        [
            *head_lines(lines),
            *potential_lines(lines, spec.timestep_fs, n_steps),
            velocity_line(spec.settle_temperature_k, seeds_of(seed, temperature_k)[0]),
            *guard_lines(temperature_k),
            f"fix settle all nvt temp {cold} {cold} {number_text(DAMP_PS)}",
            *dump_lines(lines, spec.dump_steps),
            *end_lines(n_steps),
        ]
    )


def heat_deck(spec: InterfaceDynamicsSpec, lines: LammpsInput, temperature_k: float, *, is_fixed: bool) -> str:
    """Return the deck that brings the whole interface to its temperature, the cell free along z."""
    n_steps = spec.steps(spec.heat_ps)
    ramp = f"temp {number_text(spec.settle_temperature_k)} {number_text(temperature_k)} {number_text(DAMP_PS)}"
    move = f"nvt {ramp}" if is_fixed else f"npt {ramp} {_along_z(spec)}"
    return "\n".join(
        [
            f"read_restart {PREVIOUS_FILE}",
            *potential_lines(lines, spec.timestep_fs, n_steps),
            *guard_lines(temperature_k),
            f"fix heat all {move}",
            *dump_lines(lines, spec.dump_steps),
            *end_lines(n_steps),
        ]
    )


def production_deck(
    spec: InterfaceDynamicsSpec, lines: LammpsInput, layers: Layers, temperature_k: float, seed: int, index: int
) -> str:
    """Return the deck of one segment of production."""
    n_steps = spec.segments[index]
    kelvin, damp = number_text(temperature_k), number_text(spec.time_constant_fs / 1000)
    noise = _noise_seeds(seed, temperature_k, index)
    move = "nve" if spec.is_fixed(layers.has_vacuum) else f"nph {_along_z(spec)} ptemp {kelvin}"
    return "\n".join(
        [
            f"read_restart {PREVIOUS_FILE}",
            *potential_lines(lines, spec.timestep_fs, n_steps),
            *(("velocity all zero linear", "reset_timestep 0 time 0.0") if index == 0 else ()),
            *_emptied("outer_a"),
            *_layer_lines("outer_a", layers.a),
            *_emptied("outer_b"),
            *_layer_lines("outer_b", layers.b),
            *_emptied("inner"),
            "group inner subtract all outer_a outer_b",
            *guard_lines(temperature_k),
            f"fix move all {move}",
            *(
                f"fix bath_{side} outer_{side} langevin {kelvin} {kelvin} {damp} {number} zero yes tally yes"
                for side, number in zip("ab", noise, strict=True)
            ),
            *_state_lines(spec),
            *dump_lines(lines, spec.dump_steps),
            *end_lines(n_steps),
        ]
    )


def _along_z(spec: InterfaceDynamicsSpec) -> str:
    push = number_text(spec.pressure_gpa * BARS_PER_GPA)
    return f"z {push} {push} {BAROSTAT_PS}"


def _emptied(name: str) -> tuple[str, str]:
    """Return what makes a group empty, whether the restart file brought it or not."""
    return f"group {name} empty", f"group {name} clear"


def _layer_lines(name: str, layer: Layer) -> list[str]:
    """Put into a group what lies in a layer now: atoms that have left it since the last segment are let go."""
    lines = []
    for number, (low, high) in enumerate(layer.parts):
        ends = " ".join(f"$(zlo+{number_text(end)}*(zhi-zlo):%.12g)" for end in (low, high))
        lines += [
            f"region {name}_{number} block INF INF INF INF {ends} units box",
            f"group {name} region {name}_{number}",
        ]
    return lines


def _noise_seeds(seed: int, temperature_k: float, index: int) -> list[int]:
    """Return a seed for each layer's noise; LAMMPS keeps none in its restart files, so each segment has its own."""
    state = np.random.SeedSequence([seed, round(temperature_k * 1000), index]).generate_state(2)
    return [int(value) % 899_999_999 + 1 for value in state]


def _state_lines(spec: InterfaceDynamicsSpec) -> list[str]:
    """Return what writes the state of both layers and of what is between them, a mean over each stored frame."""
    every = max(each for each in range(1, _SAMPLES_PER_FRAME + 1) if spec.dump_steps % each == 0)
    often = spec.dump_steps // every
    computes = [
        line
        for name in ("inner", "outer_a", "outer_b")
        for line in (f"compute t_{name} {name} temp", f"compute_modify t_{name} extra/dof 0")
    ]
    wanted = {
        "temp": "temp",
        "pe": "pe",
        "conserved": "econserve",
        "height": "lz",
        "push": "pzz/10000",
    }
    columns = "v_temp c_t_inner c_t_outer_a c_t_outer_b v_pe v_conserved v_height v_push f_bath_a f_bath_b"
    return [
        *computes,
        *(f"variable {name} equal {value}" for name, value in wanted.items()),
        f"fix state all ave/time {often} {every} {spec.dump_steps} {columns} file {STATE_FILE} format ' %.10g'",
    ]
