"""The lanes of an engine: does a worker of each answer."""

import json
import os
import sys
from pathlib import Path

from mlip_sse.readiness.checks import Check, output_of

__all__ = ["lanes"]

_ANSWER_WITHIN_S = 22.0
"""With starting and clearing away, a doctor's finding comes within 30 s."""


def lanes(engine: str | Path | None) -> Check:
    """Run a task that does nothing on each lane, in a process of its own; required where an engine is asked about."""
    name = "lanes" if engine is None else f"lanes of {Path(engine).name}"
    arguments = [str(_ANSWER_WITHIN_S), *([] if engine is None else [os.fspath(engine)])]
    ran, output = output_of([sys.executable, "-P", "-W", "ignore", "-m", "mlip_sse.engine.probe", *arguments])
    advice = "see mlip-sse template engine; where a queue is only long, tasks wait for their turn"
    if not ran:
        return Check(name, False, True, output, advice)
    found = json.loads(output)
    failed = [lane for lane, (ok, _) in found.items() if not ok]
    answered = [f"{lane}: {words}" for lane, (ok, words) in found.items() if ok]
    reasons = [found[failed[0]][1]] if failed else []
    others = [f"nor does {', '.join(failed[1:])}"] if len(failed) > 1 else []
    said = "; ".join([*reasons, *others, *answered])
    return Check(name, not failed, True, said, advice)
