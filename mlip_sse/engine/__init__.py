"""Lanes of tasks: each task a subprocess in a folder named by its inputs, so that nothing finished is done twice.

>>> from mlip_sse.engine import Engine, Work
>>> with Engine("campaign") as engine:  # doctest: +SKIP
...     outcomes = engine.run("md", Work("my_package.segments:start"), segments, min_success=0.8)

The names below load on first use, so that a worker process starts without what only its caller needs.
"""

from typing import TYPE_CHECKING

from mlip_sse.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlip_sse.engine.lanes import LANES, Engine, Lane, LaneName
    from mlip_sse.engine.outcomes import Outcome, Outcomes, Progress
    from mlip_sse.engine.run import run_tasks
    from mlip_sse.engine.specs import ENGINES, EngineSpec, load_engine
    from mlip_sse.engine.task_folder import TaskFailure, TaskFolder, quarantined, release, task_id
    from mlip_sse.engine.work import Run, Work

__all__ = [
    "ENGINES",
    "LANES",
    "Engine",
    "EngineSpec",
    "Lane",
    "LaneName",
    "Outcome",
    "Outcomes",
    "Progress",
    "Run",
    "TaskFailure",
    "TaskFolder",
    "Work",
    "load_engine",
    "quarantined",
    "release",
    "run_tasks",
    "task_id",
]

_HOME = {
    "ENGINES": "specs",
    "LANES": "lanes",
    "Engine": "lanes",
    "EngineSpec": "specs",
    "Lane": "lanes",
    "LaneName": "lanes",
    "Outcome": "outcomes",
    "Outcomes": "outcomes",
    "Progress": "outcomes",
    "Run": "work",
    "TaskFailure": "task_folder",
    "TaskFolder": "task_folder",
    "Work": "work",
    "load_engine": "specs",
    "quarantined": "task_folder",
    "release": "task_folder",
    "run_tasks": "run",
    "task_id": "task_folder",
}

__getattr__, __dir__ = lazy_names(__name__, _HOME, __all__)
