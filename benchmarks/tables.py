"""Tables of measurements, in Markdown that is also readable on a terminal."""

import math
import statistics
from dataclasses import dataclass
from typing import Any

from benchmarks.read_cases import FILES
from benchmarks.registry import GROUPS, OURS, Case

__all__ = ["Row", "aligned", "table"]


@dataclass(frozen=True)
class Row:
    """A case with what its process said: a measurement, ``skipped`` or ``error``."""

    case: Case
    threads: int
    result: dict[str, Any]

    @property
    def measured(self) -> bool:
        """Whether there are numbers."""
        return "check" in self.result

    @property
    def failed(self) -> bool:
        """Whether it broke, which a missing package is not."""
        return "error" in self.result

    @property
    def cpu_s(self) -> float:
        """Median CPU seconds: what a busy machine does not change much."""
        return float(statistics.median(self.result["cpu_s"]))

    @property
    def label(self) -> str:
        """Name, version, and whether it was too slow to repeat."""
        found = self.result.get("version")
        once = ", first call only" if self.result["first_only"] else ""
        peer = "" if found is None or self.case.package == OURS else f" ({found})"
        return self.case.name + peer + once

    @property
    def reason(self) -> str:
        """Why there are no numbers."""
        return f"failed, {self.result['error']}" if self.failed else f"skipped, {self.result['skipped']}"

    def joined(self, other: "Row") -> "Row":
        """Return the row with the repeats of another round added; one that failed makes the whole row fail."""
        if not (self.measured and other.measured):
            return self if not self.measured else other
        lists = {key: value + other.result[key] for key, value in self.result.items() if isinstance(value, list)}
        highest = max(self.result["memory_mib"], other.result["memory_mib"])
        return Row(self.case, self.threads, {**self.result, **lists, "memory_mib": highest})

    def to_dict(self) -> dict[str, object]:
        """Return everything that is known of the row."""
        return {"group": self.case.group, "name": self.case.name, "threads": self.threads, **self.result}


def table(group: str, size: int, rows: list[Row]) -> str:
    """Return the table of one group at one size, with its title."""
    build = {"cores": _cores, "memory": _memory}.get(group, _comparison)
    header, body = build(group, size, [row for row in rows if row.measured])
    lines = [f"### {GROUPS[group].title.format(n=size)}", "", *aligned([header, *body])]
    left_out = [f"- {row.case.name}: {row.reason}" for row in rows if not row.measured]
    return "\n".join([*lines, *([""] if left_out else []), *left_out])


def _comparison(group: str, size: int, rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Put every package beside each of our rows; its time over ours is the number of times that we are faster."""
    ours = [row for row in rows if row.case.package == OURS]
    ratios = [f"over ours ({chr(ord('a') + k)})" for k in range(len(ours))] if len(ours) > 1 else ["over ours"]
    speed = ["MB/s"] if group in FILES else []
    header = ["", "CPU s", *speed, "memory MiB", *ratios, "agrees"]
    body = []
    for row in rows:
        mark = f"({chr(ord('a') + ours.index(row))}) " if row in ours and len(ours) > 1 else ""
        megabytes = [f"{row.result['file_mb'] / row.cpu_s:.0f}"] if speed else []
        times = [f"{row.cpu_s / one.cpu_s:.1f}" for one in ours]
        same = math.isclose(row.result["check"], rows[0].result["check"], rel_tol=GROUPS[group].tolerance)
        cells = [f"{row.cpu_s:.3f}", *megabytes, f"{row.result['memory_mib']:.0f}", *times, "yes" if same else "NO"]
        body.append([mark + row.label, *cells])
    return header, body


def _cores(group: str, size: int, rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Put one thread beside two: by the clock, and by the CPU seconds of the busiest thread.

    The second is what the clock would show if no other program ran: it holds the work, its balance between the threads
    and the cost of handing it out, but no waiting for a core. It holds where the calling thread works along.
    """
    header = ["", "wall s, 1", "wall s, 2", "ratio", "busiest thread s, 1", "busiest thread s, 2", "ratio", "agrees"]
    body = []
    for one in rows:
        for two in rows:
            if one.case is two.case and (one.threads, two.threads) == (1, 2):
                same = "to the bit" if one.result["check"] == two.result["check"] else "NO"
                body.append([one.label, *_ratio(one, two, "wall_s"), *_ratio(one, two, "busiest_thread_s"), same])
    return header, body


def _ratio(one: Row, two: Row, quantity: str) -> list[str]:
    alone, shared = min(one.result[quantity]), min(two.result[quantity])
    return [f"{alone:.3f}", f"{shared:.3f}", f"{alone / shared:.2f}"]


def _memory(group: str, size: int, rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    return ["", "CPU s", "memory MiB"], [
        [row.label, f"{row.cpu_s:.3f}", f"{row.result['memory_mib']:.0f}"] for row in rows
    ]


def aligned(lines: list[list[str]]) -> list[str]:
    """Pad the cells of a Markdown table: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        for line in lines
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return ["| " + " | ".join(line) + " |" for line in (padded[0], rule, *padded[1:])]
