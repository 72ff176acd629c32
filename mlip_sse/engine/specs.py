"""Where tasks run: this machine by default, or the queues of a cluster as `engine.yaml` says."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from mlip_sse.errors import SpecError, did_you_mean
from mlip_sse.specs import Spec, read_yaml

__all__ = [
    "ENGINES",
    "ClusterLaneSpec",
    "ClusterSpec",
    "EmbeddedSpec",
    "EngineSpec",
    "KubernetesLaneSpec",
    "KubernetesSpec",
    "LaneSpec",
    "LocalSpec",
    "LsfLaneSpec",
    "LsfSpec",
    "PbsLaneSpec",
    "PbsSpec",
    "SlurmLaneSpec",
    "SlurmSpec",
    "load_engine",
]


def _is_one_line(text: str) -> str:
    if "\n" in text or "\r" in text or "\x00" in text:
        raise ValueError("expected one line")
    return text


Line = Annotated[str, Field(max_length=1000), AfterValidator(_is_one_line)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,:/@&|=+-]*$", max_length=100)]


class LaneSpec(Spec):
    """What a lane gives each of its tasks."""

    cores_per_task: int = Field(
        1, ge=1, le=1024, description="cores that a task holds; many narrow tasks beat one wide"
    )
    threads_per_task: int | None = Field(
        None, ge=1, le=1024, description="OMP_NUM_THREADS and its kin; as many as cores where not given", examples=[1]
    )
    retries: int = Field(1, ge=0, le=10, description="how often a task that failed is tried again")
    time_limit_s: float | None = Field(
        None,
        gt=0,
        description="a task that takes longer is ended, where this is shorter than its own limit",
        examples=[3600],
    )

    @property
    def threads(self) -> int:
        """How many threads a task is told to use."""
        return self.threads_per_task or self.cores_per_task


class ClusterLaneSpec(LaneSpec):
    """A lane whose tasks run in jobs; each job takes one node, or a part of it, and does many tasks."""

    tasks_per_job: int = Field(1, ge=1, le=1024, description="tasks at a time in one job")
    max_jobs: int = Field(1, ge=1, le=1000, description="jobs at a time")
    wall_time_hours: float = Field(1.0, gt=0, le=720, description="wall time of a job; longer than a task's limit")
    gpus_per_job: int = Field(0, ge=0, le=64, description="graphics processors of a job, shared among its tasks")
    setup: tuple[Line, ...] = Field((), description="shell lines at the start of a job, such as 'module load vasp'")

    @property
    def cores_per_job(self) -> int:
        """How many cores a job asks for."""
        return self.tasks_per_job * self.cores_per_task


class QueueLaneSpec(ClusterLaneSpec):
    """A lane of jobs in a queue."""

    options: tuple[Line, ...] = Field((), description="further lines for the scheduler, such as '#SBATCH --mem=8G'")


class SlurmLaneSpec(QueueLaneSpec):
    """A lane of Slurm jobs."""

    partition: Word | None = Field(None, description="partition", examples=["cpu"])
    account: Word | None = Field(None, description="account", examples=["p1234"])
    qos: Word | None = Field(None, description="quality of service", examples=["normal"])
    constraint: Word | None = Field(None, description="kind of node", examples=["icelake"])
    exclusive: bool = Field(False, description="whole nodes")


class PbsLaneSpec(QueueLaneSpec):
    """A lane of PBS jobs."""

    queue: Word | None = Field(None, description="queue", examples=["workq"])
    account: Word | None = Field(None, description="account", examples=["p1234"])
    select: Word | None = Field(None, description="further words of the select line", examples=["mem=8gb"])


class LsfLaneSpec(QueueLaneSpec):
    """A lane of LSF jobs."""

    queue: Word | None = Field(None, description="queue", examples=["normal"])
    project: Word | None = Field(None, description="project", examples=["p1234"])


class KubernetesLaneSpec(ClusterLaneSpec):
    """A lane of pods."""

    memory: str = Field("4Gi", pattern=r"^[0-9]+(Mi|Gi)$", description="memory of a pod")


class EngineSpec(Spec):
    """Base of every engine."""

    @property
    def name(self) -> str:
        """The scheduler's name."""
        return str(getattr(self, "scheduler"))  # noqa: B009  # every engine has its own literal

    def lane(self, name: str) -> LaneSpec:
        """Return the settings of a lane."""
        found: LaneSpec = getattr(self, name)
        return found


class EmbeddedSpec(EngineSpec):
    """Threads of this process, each task a subprocess; all lanes share the machine's cores."""

    scheduler: Literal["embedded"] = Field("embedded", description="where tasks run")
    cores: int | None = Field(
        None, ge=1, le=4096, description="cores for all lanes; all there are if not given", examples=[2]
    )
    label: LaneSpec = Field(LaneSpec(), description="reference calculations")
    train: LaneSpec = Field(LaneSpec(), description="fits of potentials")
    md: LaneSpec = Field(LaneSpec(), description="molecular dynamics, relaxations and barriers")


class ClusterSpec(EngineSpec):
    """What engines with a pool of workers have: how these reach the driver, and when they count as lost."""

    address: Word | None = Field(
        None, description="address of the driver as the nodes see it; all are tried if not given", examples=["10.0.0.1"]
    )
    lost_after_s: int = Field(120, ge=10, le=3600, description="silence after which a job counts as lost")


class LocalSpec(ClusterSpec):
    """A pool of workers on this machine: to try what a cluster would do."""

    scheduler: Literal["local"] = Field("local", description="where tasks run")
    address: Word | None = Field("127.0.0.1", description="address of the driver as the workers see it")
    lost_after_s: int = Field(20, ge=10, le=3600, description="silence after which a pool counts as lost")
    label: ClusterLaneSpec = Field(ClusterLaneSpec(), description="reference calculations")
    train: ClusterLaneSpec = Field(ClusterLaneSpec(), description="fits of potentials")
    md: ClusterLaneSpec = Field(ClusterLaneSpec(), description="molecular dynamics, relaxations and barriers")


class SlurmSpec(ClusterSpec):
    """Jobs of Slurm."""

    scheduler: Literal["slurm"] = Field("slurm", description="where tasks run")
    label: SlurmLaneSpec = Field(SlurmLaneSpec(), description="reference calculations")
    train: SlurmLaneSpec = Field(SlurmLaneSpec(), description="fits of potentials")
    md: SlurmLaneSpec = Field(SlurmLaneSpec(), description="molecular dynamics, relaxations and barriers")


class PbsSpec(ClusterSpec):
    """Jobs of PBS Pro or OpenPBS."""

    scheduler: Literal["pbs"] = Field("pbs", description="where tasks run")
    label: PbsLaneSpec = Field(PbsLaneSpec(), description="reference calculations")
    train: PbsLaneSpec = Field(PbsLaneSpec(), description="fits of potentials")
    md: PbsLaneSpec = Field(PbsLaneSpec(), description="molecular dynamics, relaxations and barriers")


class LsfSpec(ClusterSpec):
    """Jobs of LSF."""

    scheduler: Literal["lsf"] = Field("lsf", description="where tasks run")
    label: LsfLaneSpec = Field(LsfLaneSpec(), description="reference calculations")
    train: LsfLaneSpec = Field(LsfLaneSpec(), description="fits of potentials")
    md: LsfLaneSpec = Field(LsfLaneSpec(), description="molecular dynamics, relaxations and barriers")


class KubernetesSpec(ClusterSpec):
    """Pods of Kubernetes; a volume must hold the folder under the same path as here."""

    scheduler: Literal["kubernetes"] = Field("kubernetes", description="where tasks run")
    image: Line = Field(
        min_length=1, description="image with mlip-sse inside", examples=["registry.example/mlip-sse:1"]
    )
    namespace: Word = Field("default", description="namespace")
    volumes: dict[Word, Line] = Field(
        default_factory=dict, description="claim of each volume and where it is mounted", examples=[{"work": "/work"}]
    )
    service_account: Word | None = Field(None, description="service account", examples=["default"])
    label: KubernetesLaneSpec = Field(KubernetesLaneSpec(), description="reference calculations")
    train: KubernetesLaneSpec = Field(KubernetesLaneSpec(), description="fits of potentials")
    md: KubernetesLaneSpec = Field(KubernetesLaneSpec(), description="molecular dynamics, relaxations and barriers")


ENGINES: Mapping[str, type[EngineSpec]] = MappingProxyType(
    {
        "embedded": EmbeddedSpec,
        "local": LocalSpec,
        "slurm": SlurmSpec,
        "pbs": PbsSpec,
        "lsf": LsfSpec,
        "kubernetes": KubernetesSpec,
    }
)
"""The settings of each scheduler."""


def load_engine(source: str | Path | Mapping[str, Any] | EngineSpec | None = None) -> EngineSpec:
    """Load the settings of an engine.

    Parameters
    ----------
    source
        The path of an `engine.yaml`, a mapping, or settings; None: this machine.

    Raises
    ------
    SpecError
        When there is no such file or scheduler, or the settings do not fit it.
    """
    if source is None:
        return EmbeddedSpec()
    if isinstance(source, EngineSpec):
        return source
    if isinstance(source, Mapping):
        data, origin = source, "engine"
    else:
        if not Path(source).is_file():
            raise SpecError(f"found no file {source}, expected an engine's settings: mlip-sse template engine")
        data, origin = read_yaml(source), str(source)
    kind = data.get("scheduler") if isinstance(data, Mapping) else None
    if not isinstance(kind, str) or kind not in ENGINES:
        meant = did_you_mean(kind, ENGINES) if isinstance(kind, str) else ""
        shown = "nothing" if kind is None else repr(kind)[:60]
        raise SpecError(f"{origin}: key 'scheduler': found {shown}, expected one of {', '.join(ENGINES)}{meant}")
    return ENGINES[kind].parse(data, origin)
