"""Campaign folders as a campaign leaves them, of made-up numbers: resolved, not resolved, unfinished, a bad teacher."""

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np

TEMPERATURES_K = (450.0, 500.0, 550.0, 620.0)
BOLTZMANN = 8.617333262e-5
EDGE = 10.1
ELEMENTS = {"Li": 24, "P": 4, "S": 20, "Cl": 4}
ENDS = (None, "error_bound", "grade", "too_close", "exploded", "broken_polyanion")


@dataclass(frozen=True)
class Sample:
    """What the made-up campaign is like."""

    resolved: bool = True
    finished: bool = True
    teacher_agrees: bool | None = True
    n_rounds: int = 6
    n_frames: int = 400
    seed: int = 1


def interval(value, factor, method="made up for a test"):
    return {"value": value, "low": value / factor, "high": value * factor, "confidence": 0.95, "method": method}


def structure():
    """Return symbols, cell and positions of an argyrodite-like arrangement on fixed places."""
    rng = np.random.default_rng(7)
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    phosphorus = (fcc + 0.5) % 1.0
    tetrahedron = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 2.05 / math.sqrt(3) / EDGE
    sulfur = (phosphorus[:, None] + tetrahedron).reshape(-1, 3)
    single = (fcc + 0.25) % 1.0
    lithium = (single[:, None] + 0.24 * np.array([*np.eye(3), *-np.eye(3)])).reshape(-1, 3)
    places = np.concatenate([lithium, phosphorus, sulfur, single, fcc]) % 1.0
    symbols = ["Li"] * 24 + ["P"] * 4 + ["S"] * 20 + ["Cl"] * 4
    return symbols, np.eye(3) * EDGE, (places + rng.normal(0, 0.004, places.shape)) * EDGE


def write_campaign(folder, sample=None):
    """Write a campaign's folder and return it."""
    sample = sample or Sample()
    rng = np.random.default_rng(sample.seed)
    for name in ("rounds", "potential", "dataset/frames", "trajectories", "tasks"):
        (folder / name).mkdir(parents=True)
    spec = "description: Li6PS5Cl, half of S and Cl exchanged\nstructure:\n  crystal: li6ps5cl_disordered\nmobile: Li\n"
    spec += f"temperatures_k: {list(TEMPERATURES_K)}\nreference:\n  kind: chgnet\npotential: pod_campaign\nseed: 0\n"
    (folder / "spec.yaml").write_text(spec)
    sha256 = hashlib.sha256(spec.encode()).hexdigest()
    put(folder / "campaign.json", {"spec_sha256": sha256, "version": "0.1.0", "learning_s": 611.2})
    put(folder / "potential" / "card.json", card())
    for number in range(sample.n_rounds):
        last = number == sample.n_rounds - 1
        state = "labelling" if last and not sample.finished else "done"
        put(folder / "rounds" / f"{number:03d}.json", round_(number, sample, state, rng))
    for at in range(5):
        task = folder / "tasks" / hashlib.sha256(str(at).encode()).hexdigest()
        task.mkdir()
        put(task / "result.json", {"energy": -1.0 * at})
        (task / "log").write_text("done\n")
    if sample.finished:
        paths = [f"trajectories/{kelvin:g}K_0.lammpstrj" for kelvin in TEMPERATURES_K]
        for kelvin, path in zip(TEMPERATURES_K, paths, strict=True):
            write_dump(folder / path, kelvin, sample.n_frames, rng)
        put(folder / "answer.json", answer(sample, paths))
    return folder


def put(path, document):
    path.write_text(json.dumps(document, allow_nan=False))


def diffusivity(kelvin):
    return 4.5e-3 * math.exp(-0.28 / (BOLTZMANN * kelvin))


def write_dump(path, kelvin, n_frames, rng):
    """Write lithium that walks among a framework that vibrates, 100 fs a frame."""
    symbols, cell, start = structure()
    spacing = 100.0
    moves = rng.normal(0, math.sqrt(2 * diffusivity(kelvin) / 0.1 * spacing), (n_frames, ELEMENTS["Li"], 3))
    tethered = np.cumsum(moves, axis=0) + rng.normal(0, 0.35, moves.shape)
    fixed = rng.normal(0, 0.12, (n_frames, len(symbols) - ELEMENTS["Li"], 3))
    positions = start + np.concatenate([tethered, fixed], axis=1)
    lines = []
    for frame, atoms in enumerate(positions):
        lines.append(f"ITEM: UNITS\nmetal\nITEM: TIME\n{frame * spacing / 1000:.4f}\nITEM: TIMESTEP\n{frame * 50}\n")
        lines.append(f"ITEM: NUMBER OF ATOMS\n{len(symbols)}\nITEM: BOX BOUNDS pp pp pp\n")
        lines.append("".join(f"0 {cell[k, k]}\n" for k in range(3)) + "ITEM: ATOMS id element xu yu zu\n")
        rows = zip(symbols, atoms.tolist(), strict=True)
        lines += [f"{i} {s} {x:.4f} {y:.4f} {z:.4f}\n" for i, (s, (x, y, z)) in enumerate(rows, 1)]
    path.write_text("".join(lines))


def sizes(rmse):
    return {"mae": 0.75 * rmse, "rmse": rmse}


def errors(rmse, n_frames):
    scale = {"Li": 0.6, "P": 1.9, "S": 1.2, "Cl": 0.7}
    return {
        "n_frames": n_frames,
        "n_atoms": 52 * n_frames,
        "energy_ev_atom": sizes(rmse / 40),
        "force_ev_a": sizes(rmse),
        "force_by_element_ev_a": {e: {"n_atoms": n_frames * n, **sizes(rmse * scale[e])} for e, n in ELEMENTS.items()},
        "stress_gpa": sizes(rmse),
        "softening": {"value": 0.97, "low": 0.95, "high": 0.99, "confidence": 0.95},
    }


def segment(number, place, rng):
    """Return a run of exploration; the later the round the further it comes."""
    wanted = 6.0
    reached = min(wanted, round(0.4 * 2**number * rng.uniform(0.5, 1.6), 3))
    kind = None if reached == wanted else ENDS[1 + int(rng.integers(1 + min(4, 5 - number % 5)))]
    n = max(2, int(reached / 0.04))
    grade = np.exp(rng.normal(1.2 - 0.25 * number, 0.6, n)).tolist()
    return {
        "name": f"{number:03d}-{place}",
        "temperatures_k": [600.0, 1080.0],
        "ensemble": "nvt",
        "seed": place,
        "wanted_ps": wanted,
        "reached_ps": reached,
        "ended": None if kind is None else {"kind": kind, "reason": f"{kind} at {reached:g} ps, atom 17 (S)"},
        "looks": {
            "time_ps": np.linspace(0, reached, n).tolist(),
            "temperature_k": np.linspace(600, 1080, n).tolist(),
            "energy_ev": rng.normal(-200, 1, n).tolist(),
            "grade": grade,
            "excess": [value / 3 for value in grade],
            "error_bound_ev_a": (0.08 * np.array(grade)).tolist(),
        },
    }


def round_(number, sample, state, rng):
    rmse = 0.06 + 0.2 * math.exp(-0.7 * number)
    n_total = 40 + 40 * number
    done = state == "done"
    coverage = {
        "confidence": 0.95,
        "overall": share(0.9, 400),
        "by_element": {element: share(0.86 + 0.02 * at, n) for at, (element, n) in enumerate(ELEMENTS.items())},
    }
    parity = {}
    for element in ELEMENTS:
        reference = rng.normal(0, 1.0, 150)
        predicted = 0.97 * reference + rng.normal(0, rmse, 150)
        parity[element] = {"reference": reference.round(4).tolist(), "predicted": predicted.round(4).tolist()}
    stops = done and number == sample.n_rounds - 1
    failed = 1 if number == 2 else 0
    spreads = [*np.exp(rng.normal(-2 - 0.3 * number, 0.5, 100)).round(4).tolist(), None] if number else []
    probe = {
        "temperatures_k": list(TEMPERATURES_K),
        "diffusivity_cm2_s": [interval(diffusivity(t), 1.4) for t in TEMPERATURES_K],
        "activation_energy_ev": {"value": 0.27, "low": 0.2, "high": 0.34, "confidence": 0.95, "method": "made up"},
        "conductivity_300k_ms_cm": interval(6.0, 4.0),
    }
    criteria = [
        {
            "name": "runs that came to their end",
            "met": number > 3,
            "found": "4 of 4",
            "wanted": "all, in each of 2 rounds",
        },
        {
            "name": "force error on held-out frames",
            "met": stops,
            "found": "68, 66 meV/Å",
            "wanted": "changes of at most 10 %",
        },
    ]
    return {
        "number": number,
        "state": state,
        "potential": {"name": "pod_campaign", "path": "tasks/0", "n_train": n_total - 8, "n_held_out": 8},
        "exploration": [segment(number, place, rng) for place in range(4)] if number else [],
        "selection": {
            "strategy": "committee",
            "n_candidates": 400,
            "n_selected": 32,
            "n_held_out": 8,
            "spreads_ev_a": spreads,
        },
        "labels": {
            "n_asked": 40,
            "n_labelled": 40 - failed if done else 0,
            "n_failed": failed,
            "failures": [{"reason": "SCF did not converge in 60 steps", "frame": "round 1 ramp 1 12 Cl4Li24P4S20"}]
            * failed,
            "n_total": n_total,
            "wall_s": 35.0,
        },
        "prior_errors": errors(1.8 * rmse, 32) if number and done else None,
        "errors": errors(rmse, 8 * (number + 1)) if done else None,
        "parity": parity if done else {},
        "coverage": coverage if number and done else None,
        "alarm_share": 0.2 * math.exp(-number) if number else 0.0,
        "probe": probe if number > 3 and done else None,
        "decision": {
            "stop": stops,
            "end": stops,
            "criteria": criteria,
            "reasons": ["force error: found 12 %, wanted 10 %"],
        }
        if number and done
        else None,
        "wall_s": {"explore": 21.0 + number, "select": 1.1, "label": 35.0, "fit": 6.0, "probe": 40.0 * (number > 3)},
    }


def share(value, n_atoms):
    half = 1.96 * math.sqrt(value * (1 - value) / (n_atoms / 6))
    return {
        "share": value,
        "low": value - half,
        "high": min(1.0, value + half),
        "n_atoms": n_atoms,
        "n_effective": n_atoms / 6,
        "mean_bound": 0.12,
        "mean_error": 0.06,
    }


def card():
    symbols, cell, positions = structure()
    return {
        "name": "li6ps5cl_disordered",
        "family": "pod",
        "description": "learnt by a campaign",
        "elements": ["Cl", "Li", "P", "S"],
        "temperature_k": [600.0, 1080.0],
        "pressure_gpa": [-1.0, 3.0],
        "references": ["CHGNet 0.3.0 (labels): doi:10.1038/s42256-023-00716-3"],
        "licence": "MIT",
        "fingerprint": {
            "method": "surrogate",
            "code": "chgnet",
            "code_version": "0.4.2",
            "functional": "PBE",
            "model": "0.3.0",
        },
        "data": {"structures": [{"symbols": symbols, "cell": cell.tolist(), "positions": positions.tolist()}]},
        "uncertainty": {"conformal": {"coverage": 0.9}},
    }


def answer(sample, paths):
    factor = 1.7 if sample.resolved else 8.0
    half = 0.03 if sample.resolved else 0.12
    energy = {"value": 0.28, "low": 0.28 - half, "high": 0.28 + half, "confidence": 0.95, "method": "made up"}
    volume = EDGE**3
    rows, runs = [], []
    for at, (kelvin, path) in enumerate(zip(TEMPERATURES_K, paths, strict=True)):
        d = diffusivity(kelvin)
        sigma = conductivity(d, kelvin, volume)
        rows.append(
            {
                "temperature_k": kelvin,
                "n_runs": 1,
                "tracer_diffusivity_cm2_s": interval(d, 1.25 + 0.05 * (4 - at)),
                "conductivity_ms_cm": interval(sigma, 1.4),
                "relative_errors": {"statistics": 0.09 + 0.02 * (4 - at), "seeds": 0.05, "committee": 0.07},
            }
        )
        runs.append(
            {
                "path": path,
                "temperature_k": kelvin,
                "mobile": "Li",
                "tracer_diffusivity_cm2_s": interval(d, 1.2),
                "charge_diffusivity_cm2_s": interval(2 * d, 1.6),
                "haven_ratio": interval(0.5, 1.6),
                "conductivity_ms_cm": interval(sigma, 1.5),
                "nernst_einstein_conductivity_ms_cm": interval(0.5 * sigma, 1.2),
                "quality": "pass",
                "reasons": [],
            }
        )
    d300 = diffusivity(300.0)
    values = {
        "activation_energy_ev": energy,
        "conductivity_300k_ms_cm": interval(conductivity(d300, 300.0, volume), factor),
        "diffusivity_300k_cm2_s": interval(d300, factor),
    }
    reasons = [] if sample.resolved else ["committee member 1: found 1 temperatures, expected two"]
    missing = [
        "The conductivity at 300 K is known to a factor 8, expected 3 or better.",
        "Dynamics: 350 ps instead of 40 ps at 450 K would halve the interval of σ(300 K).",
    ]
    return {
        "question": "conductivity",
        "verdict": "resolved" if sample.resolved else "not resolved",
        "quality": "pass" if sample.resolved else "weak",
        "reasons": reasons,
        "trajectories": runs,
        "arrhenius": {**values, "quality": "pass", "reasons": []},
        "temperatures": rows,
        **values,
        "errors_apart": {
            "activation_energy_ev": {"statistics": 0.012, "seeds": 0.006, "committee": 0.009},
            "conductivity_300k_ms_cm": {"statistics": 0.2, "seeds": 0.1, "committee": 0.15},
        },
        "teacher_check": teacher_check(sample),
        "softening": {
            "force_rmse_ev_a": 0.071,
            "slope": 0.97,
            "low": 0.95,
            "high": 0.99,
            "confidence": 0.95,
            "per_element": {e: {"slope": 0.95 + 0.01 * at, "low": 0.93, "high": 1.0} for at, e in enumerate(ELEMENTS)},
        },
        "pressure_offset_gpa": {"value": 0.12, "low": 0.05, "high": 0.19, "confidence": 0.95, "method": "mean"},
        "haven_ratio": interval(0.5, 1.3),
        "labels": {"n_labelled": 239, "n_reference_calls": 270, "n_reference_md_steps": 2500},
        "speed": {"student_atom_steps_s": 3.1e5, "teacher_atom_steps_s": 410.0, "ratio": 756.0},
        "missing": [] if sample.resolved else missing,
        "provenance": {
            "version": "0.1.0",
            "inputs": [{"path": path, "sha256": "0" * 64, "size_bytes": 1} for path in paths],
            "operations": [],
            "settings": {"confidence": 0.95},
            "created": "2026-11-22T20:00:00+00:00",
        },
    }


def conductivity(d, kelvin, volume):
    """Return mS/cm of independent lithium."""
    return 1.602176634e-19 * ELEMENTS["Li"] * d / (volume * 1e-24 * BOLTZMANN * kelvin) * 1000


def teacher_check(sample):
    if sample.teacher_agrees is None:
        return None
    r = np.linspace(1.0, 6.0, 101)
    rdf = {}
    for pair, first in (("Li-S", 2.45), ("P-S", 2.05), ("Li-Li", 3.3)):
        shift = 0.0 if sample.teacher_agrees else 0.09
        curves = [
            3 * np.exp(-(((r - first - move) / 0.18) ** 2)) + 1 / (1 + np.exp(-(r - first - 0.8) * 5))
            for move in (shift, 0)
        ]
        rdf[pair] = {
            "r_a": r.round(3).tolist(),
            "student": curves[0].tolist(),
            "teacher": curves[1].tolist(),
            "peak_shift_a": shift,
            "peak_chance_a": 0.03,
        }
    d = diffusivity(620.0)
    agrees = sample.teacher_agrees
    return {
        "temperature_k": 620.0,
        "duration_ps": 5.0,
        "student_cm2_s": interval(d, 1.25),
        "teacher_cm2_s": interval(d * (1.1 if agrees else 3.0), 1.7),
        "windows_cm2_s": interval(d, 1.6),
        "chance_factor": 2.1,
        "agree": agrees,
        "rdf": rdf,
        "reasons": []
        if agrees
        else ["D of the potential lies outside of the joint 95 % interval", "Li-S: the first peaks are 0.090 Å apart"],
    }
