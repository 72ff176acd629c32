"""``mlip-sse report``: the page of a campaign, written once or served while it runs."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(help="The folder of a campaign, finished or not.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; report.html in the campaign's folder if not given.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Serve the page while the campaign runs; Ctrl-C ends it.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="With --watch: the local port; any free one if not given.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Write one self-contained HTML page of a campaign, or serve it while the campaign runs."""
    from mlip_sse.errors import InputError
    from mlip_sse.report import watch as watch_folder
    from mlip_sse.report import write_report

    if watch:
        if out is not None or as_json:
            raise InputError("--watch: found --out or --json beside it, expected it alone: it writes no file")
        watch_folder(folder, port, lambda address: typer.echo(f"open {address} (Ctrl-C ends it)"))
        return
    with _status() as progress:
        written = write_report(folder, out, progress)
    typer.echo(json.dumps({"report": str(written)}, ensure_ascii=False) if as_json else f"report: {written}")


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Show on stderr what is being read, where a person looks at it."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda doing: None
        return
    with console.status("reading") as status:
        yield lambda doing: status.update(doing)
