"""Lanes of tasks: each task a subprocess in a folder named by its inputs, so that nothing finished is done twice.

>>> from mlip_sse.engine import Engine, Work
>>> with Engine("campaign") as engine:  # doctest: +SKIP
...     outcomes = engine.run("md", Work("my_package.segments:start"), segments, min_success=0.8)
"""

from mlip_sse.engine.lanes import LANES, Engine, Lane
from mlip_sse.engine.outcomes import Outcome, Outcomes, Progress
from mlip_sse.engine.run import run_tasks
from mlip_sse.engine.specs import ENGINES, EngineSpec, load_engine
from mlip_sse.engine.task_folder import TaskFailure, TaskFolder, quarantined, release, task_id
from mlip_sse.engine.work import Work

__all__ = [
    "ENGINES",
    "LANES",
    "Engine",
    "EngineSpec",
    "Lane",
    "Outcome",
    "Outcomes",
    "Progress",
    "TaskFailure",
    "TaskFolder",
    "Work",
    "load_engine",
    "quarantined",
    "release",
    "run_tasks",
    "task_id",
]
