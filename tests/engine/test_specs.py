"""Settings of engines, and what Parsl is told of them."""

import pytest

from mlip_sse.engine import ENGINES, load_engine
from mlip_sse.engine.parsl_pools import parsl_config, require_scheduler
from mlip_sse.engine.specs import EmbeddedSpec
from mlip_sse.errors import SpecError


def test_without_a_file_it_is_this_machine():
    spec = load_engine()
    assert isinstance(spec, EmbeddedSpec)
    assert [spec.lane(name).cores_per_task for name in ("label", "train", "md")] == [1, 1, 1]


def test_a_file(tmp_path):
    path = tmp_path / "engine.yaml"
    path.write_text("scheduler: slurm\nlabel: {partition: cpu, cores_per_task: 8, threads_per_task: 1}\n")
    spec = load_engine(path)
    assert (spec.name, spec.label.partition, spec.label.threads, spec.md.threads) == ("slurm", "cpu", 1, 1)
    assert load_engine(spec) is spec


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "key 'scheduler': found nothing, expected one of embedded, local"),
        ({"scheduler": "slrum"}, "did you mean 'slurm'"),
        ({"scheduler": "embedded", "gpu": {}}, "unknown key 'gpu', expected one of scheduler, cores, label"),
        ({"scheduler": "slurm", "label": {"partitoin": "x"}}, r"unknown key 'label\.partitoin'.*'partition'"),
        ({"scheduler": "slurm", "label": {"partition": "x; rm"}}, r"label\.partition"),
        ({"scheduler": "slurm", "label": {"setup": ["a\nb"]}}, "expected one line"),
        ({"scheduler": "embedded", "md": {"cores_per_task": 0}}, r"md\.cores_per_task"),
        ({"scheduler": "embedded", "md": {"time_limit_s": -1}}, r"md\.time_limit_s"),
        ({"scheduler": "kubernetes"}, "missing key 'image'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(data, message):
    with pytest.raises(SpecError, match=message) as caught:
        load_engine(data)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match=r"found no file .*template engine"):
        load_engine(tmp_path / "engine.yaml")


LANE = {"cores_per_task": 4, "tasks_per_job": 2, "max_jobs": 3, "wall_time_hours": 1.5, "time_limit_s": 1800,
        "setup": ["module load vasp"]}  # fmt: skip


def pool(scheduler, tmp_path, **lane):
    spec = load_engine({"scheduler": scheduler, "address": "127.0.0.1", "md": {**LANE, **lane}})
    (executor,) = parsl_config(spec, "md", tmp_path, 1).executors
    return executor, executor.provider


def test_slurm_is_told_everything(tmp_path):
    executor, provider = pool("slurm", tmp_path, partition="cpu", account="p1", qos="fast", constraint="amd",
                              options=["#SBATCH --mem=8G"], gpus_per_job=2)  # fmt: skip
    for words in ("--partition=cpu", "--account=p1", "--qos=fast", "--constraint=amd", "--mem=8G", "--gpus-per-node=2"):
        assert f"#SBATCH {words}\n" in provider.scheduler_options
    assert "--exclusive" not in provider.scheduler_options
    assert (provider.cores_per_node, provider.walltime, provider.max_blocks) == (8, "01:30:00", 3)
    assert (provider.init_blocks, provider.min_blocks) == (0, 0)
    assert "module load vasp" in provider.worker_init
    assert executor.max_workers_per_node == 2
    assert executor.available_accelerators == ["0", "1"]
    assert executor.drain_period == 1.5 * 3600 - 1800 - 60
    assert executor.encrypted


def test_pbs_and_lsf_are_told_everything(tmp_path):
    _, pbs = pool("pbs", tmp_path, queue="workq", account="p1", select="mem=8gb", gpus_per_job=1)
    assert (pbs.queue, pbs.account, pbs.select_options, pbs.cpus_per_node) == ("workq", "p1", "ngpus=1:mem=8gb", 8)
    assert (pbs.walltime, pbs.max_blocks) == ("01:30:00", 3)
    _, lsf = pool("lsf", tmp_path, queue="normal", project="p1", options=["#BSUB -M 8G"])
    assert "#BSUB -q normal\n#BSUB -P" not in lsf.scheduler_options
    for words in ("-q normal", "-P p1", "-n 8", "-M 8G"):
        assert f"#BSUB {words}\n" in lsf.scheduler_options


def test_programs_are_started_by_their_modules_and_not_found_on_the_path(tmp_path):
    import sys

    executor, _ = pool("slurm", tmp_path)
    assert executor.launch_cmd.startswith(f"{sys.executable} -P -m parsl.")
    assert executor.interchange_launch_cmd[-2:] == ["-m", "parsl.executors.high_throughput.interchange"]


def test_a_job_without_a_known_limit_takes_tasks_to_its_end(tmp_path):
    executor, _ = pool("local", tmp_path, time_limit_s=None)
    assert executor.drain_period is None
    executor, _ = pool("local", tmp_path, time_limit_s=5400)
    assert executor.drain_period is None


def test_kubernetes_needs_its_package(tmp_path, monkeypatch):
    import mlip_sse.engine.parsl_pools as module
    from mlip_sse.errors import MissingExtraError

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    spec = load_engine({"scheduler": "kubernetes", "image": "mlip-sse:1"})
    with pytest.raises(MissingExtraError, match=r"mlip-sse\[cluster\]"):
        require_scheduler(spec, tmp_path)


def test_kubernetes_is_told_everything(tmp_path, monkeypatch):
    """Its provider asks for a cluster as soon as it is made, so a recorder stands in."""
    import parsl.providers

    told = {}

    class Recorder(parsl.providers.LocalProvider):
        def __init__(self, **settings):
            told.update(settings)
            super().__init__()

    monkeypatch.setattr(parsl.providers, "KubernetesProvider", Recorder)
    spec = load_engine(
        {
            "scheduler": "kubernetes",
            "address": "127.0.0.1",
            "image": "mlip-sse:1",
            "volumes": {"work": "/work"},
            "md": {**LANE, "memory": "8Gi", "gpus_per_job": 1},
        }
    )
    (executor,) = parsl_config(spec, "md", tmp_path, 1).executors
    assert executor.launch_cmd.startswith("python3 -P -m parsl.")
    assert (told["image"], told["namespace"], told["persistent_volumes"]) == (
        "mlip-sse:1",
        "default",
        [("work", "/work")],
    )
    assert (told["init_cpu"], told["max_cpu"], told["init_mem"], told["max_mem"]) == (8, 8, "8Gi", "8Gi")
    assert told["extra_limits"] == told["extra_requests"] == {"nvidia.com/gpu": "1"}
    assert (told["init_blocks"], told["max_blocks"], told["worker_init"]) == (0, 3, "module load vasp")
    accepted = parsl.providers.kubernetes.kube.KubernetesProvider.__init__.__code__.co_varnames
    assert set(told) <= set(accepted)


def test_every_engine_has_three_lanes():
    for model in ENGINES.values():
        assert {"scheduler", "label", "train", "md"} <= set(model.model_fields)
