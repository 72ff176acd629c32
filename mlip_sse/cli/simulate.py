"""``mlip-sse simulate``: run a molecular-dynamics protocol, or what is left of it."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlip_sse.md_protocols.result import SimulationResult
    from mlip_sse.md_protocols.run import Progress

__all__ = ["command"]


def command(
    protocol: Annotated[str, typer.Argument(help="A name in md_protocols/, or the path of a protocol.")],
    out: Annotated[Path | None, typer.Option("--out", help="Output folder; the protocol's name if not given.")] = None,
    potential: Annotated[
        str | None, typer.Option("--potential", help="Another potential: a name in potentials/, or a folder.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="LAMMPS processes at a time; one for each core if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Run a molecular-dynamics protocol; the same command again runs only what is missing."""
    from mlip_sse.md_protocols import load_protocol, run

    spec = load_protocol(protocol)
    names = len(spec.temperatures_k) * len(spec.seeds)
    with _terminated_like_interrupted(), _bars(names * spec.total_steps) as progress:
        folder = out if out is not None else Path(Path(protocol).stem)
        result = run(spec, folder, potential=potential, workers=workers, progress=progress)
    typer.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False) if as_json else _table(result))


def _table(result: "SimulationResult") -> str:
    lines = [f"{'T (K)':>8} {'mean T':>8} {'P (GPa)':>8} {'g/cm³':>7} {'frames':>7}  trajectory"]
    for run in result.segments:
        note = "  (was there already)" if run.reused else ""
        state = f"{run.mean_temperature_k:8.1f} {run.mean_pressure_gpa:8.3f} {run.density_g_cm3:7.3f}"
        lines.append(f"{run.temperature_k:8g} {state} {run.n_frames:7d}  {run.trajectory}{note}")
    return "\n".join(lines)


@contextmanager
def _bars(total_steps: int) -> Iterator[Callable[["Progress"], None]]:
    """Show one bar over all runs on stderr, with the runs at work named."""
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.percentage:3.0f} %"),
        rich_progress.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    quiet = not console.is_terminal  # without a terminal it would write empty lines
    with rich_progress.Progress(*columns, console=console, transient=True, disable=quiet) as shown:
        task = shown.add_task("simulating", total=total_steps)
        done: dict[str, int] = {}

        def update(state: "Progress") -> None:
            done[state.name] = state.steps
            shown.update(task, completed=sum(done.values()), description=f"simulating {state.name}")

        yield update


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the LAMMPS processes too, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
