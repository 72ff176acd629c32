"""One case in a process of its own: ``python -m benchmarks.worker GROUP NAME SIZE FOLDER REPEATS BUDGET``.

Prints one line of JSON: the measurement, or why there is none.
"""

import json
import sys
import warnings
from pathlib import Path

from benchmarks.measure import measure
from benchmarks.read_cases import FILES
from benchmarks.registry import load_cases

__all__ = ["MARK", "main"]

MARK = "benchmark result: "
"""Stands before the line of JSON, because some packages print on import."""


def main(group: str, name: str, size: str, folder: str, n_repeats: str, budget_s: str) -> None:
    """Measure one case and print its result."""
    warnings.simplefilter("ignore")
    (chosen,) = (entry for entry in load_cases() if (entry.group, entry.name) == (group, name))
    try:
        run = chosen.prepare(int(size), Path(folder))
        result: dict[str, object] = {"version": chosen.version}
        result |= measure(run, int(n_repeats), float(budget_s)).to_dict()
        if group in FILES:
            result["file_mb"] = (Path(folder) / size / FILES[group][0]).stat().st_size / 1e6
    except ImportError as error:  # some packages look for what they need only when it is called
        result = {"skipped": f"not installed ({error.name or ' '.join(str(error).split())[:80]})"}
    print(MARK + json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
