"""Parsl's configuration of one lane: threads here, or a HighThroughputExecutor with its scheduler's provider.

Parsl finds its programs on PATH only, ends none of its processes when the driver is killed, and waits without a word
for a pool that cannot start. So its programs are started by their modules, under a keeper where they run here.
"""

import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

from mlip_sse.engine import keeper
from mlip_sse.engine.specs import ClusterLaneSpec, ClusterSpec, EmbeddedSpec, EngineSpec, KubernetesSpec
from mlip_sse.errors import InputError, MissingExtraError

__all__ = ["parsl_config", "require_scheduler"]

_HTEX = "parsl.executors.high_throughput"
_SUBMIT_PROGRAMS = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub"}
_IDLE_JOBS_END_AFTER_S = 120.0
_HEARTBEATS_UNTIL_LOST = 4
_LAST_FAILED_JOBS = 3
_LOOKS_EVERY_S = {"local": 1.0, "queue": 5.0}


def require_scheduler(spec: EngineSpec, folder: Path) -> None:
    """Refuse an engine whose scheduler is not here, before anything is started.

    Raises
    ------
    InputError, MissingExtraError
        Naming what is missing.
    """
    program = _SUBMIT_PROGRAMS.get(spec.name)
    if program is not None and which(program) is None:
        raise InputError(
            f"found no program {program!r} on PATH, expected one for scheduler {spec.name}: run where it is"
        )
    if spec.name == "kubernetes" and find_spec("kubernetes") is None:
        raise MissingExtraError("scheduler kubernetes", "cluster")
    if isinstance(spec, ClusterSpec) and any(character.isspace() for character in str(folder)):
        raise InputError(
            f"found blanks in the folder {str(folder)!r}, expected none: the schedulers' scripts break on them"
        )


def parsl_config(spec: EngineSpec, lane: str, run_folder: Path, n_threads: int) -> Any:
    """Return Parsl's configuration of one lane, its files inside ``run_folder``.

    Parameters
    ----------
    n_threads
        Tasks at a time where the lane is embedded.
    """
    import parsl

    if isinstance(spec, EmbeddedSpec):
        executor: Any = parsl.ThreadPoolExecutor(label=lane, max_threads=n_threads)
        return parsl.Config([executor], run_dir=str(run_folder), strategy="none", initialize_logging=False)
    if not isinstance(spec, ClusterSpec):
        raise InputError(f"found an engine of type {type(spec).__name__}, expected one of those that are built in")
    return parsl.Config(
        [_pool(spec, lane)],
        run_dir=str(run_folder),
        strategy="simple",  # htex_auto_scale of 2026.10 cancels a job with more slots than tasks before it starts
        strategy_period=_LOOKS_EVERY_S["local" if spec.name == "local" else "queue"],
        max_idletime=_IDLE_JOBS_END_AFTER_S,
        initialize_logging=False,
        retries=0,  # what is lost is done again by us, who look first whether it was done
    )


def _pool(spec: ClusterSpec, lane: str) -> Any:
    from functools import partial

    from parsl.executors import HighThroughputExecutor
    from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
    from parsl.jobs.error_handlers import windowed_error_handler

    settings = spec.lane(lane)
    if not isinstance(settings, ClusterLaneSpec):
        raise InputError(f"found lane settings of type {type(settings).__name__}, expected those of a cluster")
    here = [sys.executable, "-I", "-S", str(Path(keeper.__file__).resolve()), f"pid:{os.getpid()}"]
    python = ["python3"] if spec.name == "kubernetes" else [sys.executable]
    launch = [*python, "-P", "-m", f"{_HTEX}.process_worker_pool"]
    if spec.name == "local":
        launch = [*here, *launch]
    words = shlex.join(launch).replace("{", "{{").replace("}", "}}")
    return HighThroughputExecutor(
        label=lane,
        provider=_provider(spec, settings),
        launch_cmd=DEFAULT_LAUNCH_CMD.replace("process_worker_pool.py", words, 1),
        interchange_launch_cmd=[*here, sys.executable, "-P", "-m", f"{_HTEX}.interchange"],
        address=spec.address,
        max_workers_per_node=settings.tasks_per_job,
        cores_per_worker=1e-3,  # tasks_per_job says how many, not what the node happens to have
        available_accelerators=settings.gpus_per_job,
        heartbeat_threshold=spec.lost_after_s,
        heartbeat_period=max(1, spec.lost_after_s // _HEARTBEATS_UNTIL_LOST),
        drain_period=_drain_s(settings),
        block_error_handler=partial(windowed_error_handler, threshold=_LAST_FAILED_JOBS),
        encrypted=True,
    )


def _drain_s(settings: ClusterLaneSpec) -> int | None:
    """Return when a job takes no more tasks, so that its wall time kills none; None where their limit is not known."""
    left_s = settings.wall_time_hours * 3600 - (settings.time_limit_s or float("inf")) - 60
    return int(left_s) if left_s > 60 else None


def _wall_time(hours: float) -> str:
    minutes = max(1, round(hours * 60))
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def _provider(spec: ClusterSpec, settings: Any) -> Any:
    from parsl import providers

    kinds: Any = providers  # partly untyped
    jobs = {"init_blocks": 0, "min_blocks": 0, "max_blocks": settings.max_jobs, "nodes_per_block": 1}
    setup = "\n".join(settings.setup)
    if spec.name == "local":
        return kinds.LocalProvider(**jobs, worker_init=setup)
    if isinstance(spec, KubernetesSpec):
        return _kubernetes(spec, settings, jobs, setup)
    queued = {
        **jobs,
        "walltime": _wall_time(settings.wall_time_hours),
        "scheduler_options": "\n".join(settings.options),
        "worker_init": setup,
        "cmd_timeout": 120,
    }
    if spec.name == "slurm":
        return kinds.SlurmProvider(
            partition=settings.partition,
            account=settings.account,
            qos=settings.qos,
            constraint=settings.constraint,
            exclusive=settings.exclusive,
            cores_per_node=settings.cores_per_job,
            gpus_per_node=settings.gpus_per_job or None,
            **queued,
        )
    if spec.name == "pbs":
        gpus = [f"ngpus={settings.gpus_per_job}"] if settings.gpus_per_job else []
        select = ":".join([*gpus, *([settings.select] if settings.select else [])])
        return kinds.PBSProProvider(
            queue=settings.queue,
            account=settings.account,
            select_options=select,
            cpus_per_node=settings.cores_per_job,
            **queued,
        )
    del queued["nodes_per_block"]
    return kinds.LSFProvider(
        queue=settings.queue,
        project=settings.project,
        cores_per_block=settings.cores_per_job,
        cores_per_node=settings.cores_per_job,
        request_by_nodes=False,
        **queued,
    )


def _kubernetes(spec: KubernetesSpec, settings: Any, jobs: dict[str, Any], setup: str) -> Any:
    from parsl.providers import KubernetesProvider

    limits = {"nvidia.com/gpu": str(settings.gpus_per_job)} if settings.gpus_per_job else None
    return KubernetesProvider(
        image=spec.image,
        namespace=spec.namespace,
        persistent_volumes=list(spec.volumes.items()),
        service_account_name=spec.service_account,
        init_cpu=settings.cores_per_job,
        max_cpu=settings.cores_per_job,
        init_mem=settings.memory,
        max_mem=settings.memory,
        extra_requests=limits,
        extra_limits=limits,
        worker_init=setup,
        **jobs,
    )
