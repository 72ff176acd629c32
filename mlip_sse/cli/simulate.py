"""``mlip-sse simulate``: run a protocol, or what is left of it."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlip_sse.cli.elastic_table import elastic_table, expansion_table
from mlip_sse.cli.task_protocols import TASK_PROTOCOLS
from mlip_sse.errors import SpecError

if TYPE_CHECKING:
    from mlip_sse.engine import Progress as TaskProgress
    from mlip_sse.md_protocols.diffusion_run import Progress
    from mlip_sse.md_protocols.result import SimulationResult
    from mlip_sse.md_protocols.static_run import StaticResult

__all__ = ["command"]


def command(
    protocol: Annotated[str, typer.Argument(help="A name in md_protocols/, or the path of a protocol.")],
    out: Annotated[Path | None, typer.Option("--out", help="Output folder; the protocol's name if not given.")] = None,
    potential: Annotated[
        str | None, typer.Option("--potential", help="Another potential: a name in potentials/, or a folder.")
    ] = None,
    structure: Annotated[
        Path | None, typer.Option("--structure", help="A structure file in the place of the protocol's structure.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="LAMMPS processes at a time; one for each core if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Run a protocol: dynamics, barriers, glasses, interfaces and more; the same command again runs what is missing."""
    from mlip_sse import md_protocols
    from mlip_sse.dataset.whole_files import write_json_whole
    from mlip_sse.md_protocols import DiffusionSpec, ProtocolSpec, load_protocol, run, run_static

    spec = load_protocol(protocol)
    if structure is not None:
        spec = spec.with_structure(structure)
    folder = out if out is not None else Path(Path(protocol).stem)
    with terminated_like_interrupted():
        if isinstance(spec, DiffusionSpec):
            names = len(spec.temperatures_k) * len(spec.seeds)
            with _bars(names * spec.total_steps) as progress:
                moved = run(spec, folder, potential=potential, workers=workers, progress=progress)
            typer.echo(_json(moved.to_dict()) if as_json else _table(moved))
            return
        if (task := TASK_PROTOCOLS.get(getattr(spec, "protocol", ""))) is not None:
            engine = None if workers is None else {"scheduler": "embedded", "cores": workers}
            run_tasks, as_table = getattr(md_protocols, task[0]), task[1]
            with _line() as said:

                def tell(stage: str, state: "TaskProgress") -> None:
                    said(f"{stage}: {state.n_ended} of {state.n_to_do}")

                result = run_tasks(spec, folder, potential=potential, engine=engine, progress=tell)
            plain = result.to_dict()
            if "table" not in plain:  # a list of compounds has its own file
                write_json_whole(folder / "result.json", plain)
            typer.echo(_json(plain) if as_json else as_table(result))
            if getattr(result, "is_refused", False):
                raise typer.Exit(1)
            return
        if not isinstance(spec, ProtocolSpec):
            raise SpecError(f"found a {type(spec).__name__}, expected a protocol that this command knows")
        with _line() as said:
            found = run_static(spec, folder, potential=potential, progress=said)
    tables = {"elastic": elastic_table, "quasi_harmonic": expansion_table}
    as_text = tables.get(found.data["protocol"], _summary)
    typer.echo(_json(found.to_dict()) if as_json else as_text(found))
    if found.is_refused:
        raise typer.Exit(1)


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False)


def _summary(result: "StaticResult") -> str:
    """Return the figures of a relaxation or an equation of state, a line each."""
    data, lines = result.data, []
    if "energy_ev_atom" in data:
        lengths, angles = (" ".join(f"{x:.4f}" for x in data[key]) for key in ("cell_lengths_a", "cell_angles_deg"))
        lines += [
            f"energy          {data['energy_ev_atom']:.6f} eV/atom ({data['n_steps']} steps)",
            f"largest force   {data['max_force_ev_a']:.2g} eV/Å",
            f"cell            {lengths} Å, {angles}°",
            f"volume          {data['volume_a3_atom']:.4f} Å³/atom ({data['volume_change']:+.2%})",
        ]
    for name, key in (
        ("V0 (Å³/atom)", "volume_a3_atom"),
        ("K0 (GPa)", "bulk_modulus_gpa"),
        ("K0'", "bulk_modulus_slope"),
    ):
        if isinstance(data.get(key), dict):
            stress = (data["from_stress"] or {}).get(key)
            other = "" if stress is None else f"; {stress['value']:.5g} from stress"
            lines.append(
                f"{name:<15} {data[key]['value']:.5g} [{data[key]['low']:.5g}, {data[key]['high']:.5g}]{other}"
            )
    lines += [f"{data['quality']:<15} {reason}" for reason in data["reasons"]]
    lines.append(f"{'was there already' if result.reused else 'written'}: {result.folder}")
    return "\n".join(lines)


@contextmanager
def _line() -> Iterator[Callable[[str], None]]:
    """Show on stderr how far it is, where a person looks at it."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda said: None
        return
    with console.status("starting") as status:
        yield lambda said: status.update(said)


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
def terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the LAMMPS processes too, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
