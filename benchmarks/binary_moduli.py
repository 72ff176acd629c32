"""Bulk and shear moduli of binary crystals with CHGNet, against those of the Materials Project (PBE).

``python benchmarks/binary_moduli.py --n 20`` takes Li2S, LiCl and Li2O, then crystals of at most six atoms drawn with
seed 0, and prints one row for each: K from stresses, K from an equation of state, G, the published K and G, and the
verdict. What is done is kept in ``--folder``, a file a crystal: the same command goes on where a killed one stopped.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.tables import aligned

__all__ = ["main"]

_DATA = Path(__file__).resolve().parents[2] / "shared/data/binary_elasticity/mp-binary-pbe-elasticity-2025.1.json.gz"
_FIRST = ("Li2S", "LiCl", "Li2O")
_FIRST_GROUP = 225
_MAX_ATOMS = 6
_PROTOCOL = {
    "description": "moduli of a binary crystal",
    "protocol": "elastic",
    "structure": {"file": "each in turn"},
    "potential": "chgnet",
    "strain_sizes": [0.01, 0.02],
    "fmax": 0.005,
    "stress_tolerance_gpa": 0.05,
    "residual_stress_gpa": 0.1,
    "max_steps": 300,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute what is missing, print all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(tempfile.gettempdir()) / "mlip-sse-benchmarks" / "binary_moduli"
    parser.add_argument("--data", type=Path, default=_DATA, help="the published moduli (%(default)s)")
    parser.add_argument("--folder", type=Path, default=folder, help="what is done, a file a crystal (%(default)s)")
    parser.add_argument("--n", type=int, default=20, help="how many crystals (%(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=60.0, help="CPU time after which no other begins (%(default)s)"
    )
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = list(_chosen(json.loads(gzip.decompress(options.data.read_bytes())), options.n))
    calculator = None
    began = time.process_time()
    rows = []
    for entry in chosen:
        place = options.folder / f"{entry['mp_id']}.json"
        if not place.exists():
            if time.process_time() - began > 60 * options.minutes:
                print(f"{options.minutes:g} CPU minutes are over: the same command goes on", file=sys.stderr)
                break
            calculator = _chgnet() if calculator is None else calculator
            part = place.with_suffix(".part")
            part.write_text(json.dumps(_measure(entry, calculator), indent=1) + "\n", encoding="utf-8")
            os.replace(part, place)
        rows.append(json.loads(place.read_text(encoding="utf-8")))
        print(_row(rows[-1]), file=sys.stderr, flush=True)
    heads = ["crystal", "space group", "K stress", "[95 %]", "K volumes", "K PBE", "G", "G PBE", "CPU s", "verdict"]
    print("\n".join(aligned([heads, *map(_row, rows)])))
    print(_summary(rows))
    return 0


def _chosen(entries: list[dict[str, Any]], n: int) -> Iterator[dict[str, Any]]:
    """Yield the crystals: those named, as cubic as they are known, then drawn ones."""
    from pymatgen.core import Structure

    named = []
    for formula in _FIRST:
        for entry in (each for each in entries if each["formula"] == formula):
            if Structure.from_dict(entry["structure"]).get_space_group_info()[1] == _FIRST_GROUP:
                named.append(entry)
                break
    taken = {entry["mp_id"] for entry in named}
    small = [e for e in entries if len(e["structure"]["sites"]) <= _MAX_ATOMS and e["mp_id"] not in taken]
    drawn = (small[at] for at in np.random.default_rng(0).permutation(len(small)))
    for _, entry in zip(range(n), (*named, *drawn), strict=False):
        yield entry


def _chgnet() -> Any:
    from mlip_sse.references.chgnet_surrogate import calculator
    from mlip_sse.references.specs import ChgnetSpec

    return calculator(ChgnetSpec.parse({"kind": "chgnet"}))


def _measure(entry: dict[str, Any], calculator: Any) -> dict[str, Any]:
    from pymatgen.core import Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    from mlip_sse.analysis.results import to_plain
    from mlip_sse.errors import MlipSseError
    from mlip_sse.md_protocols.elastic_constants import elastic_scan
    from mlip_sse.md_protocols.elastic_specs import ElasticSpec

    atoms = AseAtomsAdaptor.get_atoms(Structure.from_dict(entry["structure"]), msonable=False)
    began = time.process_time()
    known = {name: entry[name] for name in ("mp_id", "formula", "bulk_modulus_vrh", "shear_modulus_vrh")}
    try:
        found = to_plain(elastic_scan(atoms, calculator, ElasticSpec.parse(_PROTOCOL)).to_dict())
    except MlipSseError as error:
        found = {"moduli": {}, "quality": "refused", "reasons": [str(error)], "bulk_from_volumes_gpa": None}
    return {**known, **found, "cpu_s": time.process_time() - began}


def _row(found: dict[str, Any]) -> list[str]:
    bulk, shear = found["moduli"].get("bulk_gpa"), found["moduli"].get("shear_gpa")
    volumes = found["bulk_from_volumes_gpa"]
    return [
        found["formula"],
        found.get("space_group", "-"),
        _shown(bulk),
        "-" if bulk is None else f"[{bulk['low']:.1f}, {bulk['high']:.1f}]",
        _shown(volumes),
        f"{found['bulk_modulus_vrh']:.1f}",
        _shown(shear),
        f"{found['shear_modulus_vrh']:.1f}",
        f"{found['cpu_s']:.0f}",
        found["quality"],
    ]


def _shown(interval: dict[str, Any] | None) -> str:
    return "-" if interval is None else f"{interval['value']:.1f}"


def _summary(rows: list[dict[str, Any]]) -> str:
    answered = [row for row in rows if row["moduli"]]
    lines = [f"{len(rows)} crystals, {len(answered)} with moduli, {sum(row['cpu_s'] for row in rows):.0f} CPU s"]
    for ours, published in (("bulk_gpa", "bulk_modulus_vrh"), ("shear_gpa", "shear_modulus_vrh")):
        pairs = np.array([(row["moduli"][ours]["value"], row[published]) for row in answered]).reshape(-1, 2)
        if len(pairs):
            error = np.abs(pairs[:, 0] - pairs[:, 1])
            lines.append(
                f"{ours}: mean absolute error {error.mean():.1f} GPa, median {np.median(error / pairs[:, 1]):.0%}"
            )
    apart = [
        abs(row["bulk_from_volumes_gpa"]["value"] / row["moduli"]["bulk_voigt_gpa"]["value"] - 1)
        for row in answered
        if row["bulk_from_volumes_gpa"] is not None
    ]
    flagged = sum(any("from energies over volumes" in reason for reason in row["reasons"]) for row in rows)
    lines.append(f"K of volumes within 10 % of K of stresses: {sum(each <= 0.1 for each in apart)}; flagged: {flagged}")
    lines += [f"{row['formula']}: {row['quality']}: {'; '.join(row['reasons'])}" for row in rows if row["reasons"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
