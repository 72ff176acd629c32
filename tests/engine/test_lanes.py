"""Three lanes: executors that share the cores of this machine, and start when they are needed."""

import threading
import time
from concurrent.futures import Executor

import pytest

from mlip_sse.engine import LANES, Engine
from mlip_sse.engine.cores import CoreBudget, available_cores
from mlip_sse.engine.probe import probe_lane
from mlip_sse.errors import InputError, RunError, SpecError
from tests.engine.conftest import HANGS_FOR_S, SOON_S, errands, wait_for


class Meter:
    """How many calls run at a time."""

    def __init__(self):
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, weight=1, seconds=0.05):
        with self._lock:
            self.now += weight
            self.most = max(self.most, self.now)
        time.sleep(seconds)
        with self._lock:
            self.now -= weight
        return weight


def embedded(**settings):
    return {"scheduler": "embedded", "cores": 2, **settings}


def test_a_lane_is_an_executor(tmp_path):
    with Engine(tmp_path, embedded()) as engine:
        for name in LANES:
            lane = engine.lane(name)
            assert isinstance(lane, Executor)
            assert lane.submit(divmod, 7, 2).result() == (3, 1)
            assert list(lane.map(abs, [-1, 2])) == [1, 2]
            with pytest.raises(ZeroDivisionError):
                lane.submit(divmod, 1, 0).result()
    with pytest.raises(RunError, match="lane md is shut"):
        engine.lane("md").submit(abs, 1)


def test_nothing_is_started_or_written_before_the_first_task(tmp_path):
    with Engine(tmp_path / "folder", embedded()):
        pass
    assert not (tmp_path / "folder").exists()


def test_its_files_stay_inside_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Engine("campaign", embedded()) as engine:
        engine.run("md", errands(), [{"number": 1}])
    assert {path.name for path in tmp_path.iterdir()} == {"campaign"}
    assert {path.name for path in (tmp_path / "campaign").iterdir()} == {"tasks", "engine"}


def test_the_lanes_share_the_cores(tmp_path):
    """Narrow and wide tasks of two lanes together never hold more than there is."""
    meter = Meter()
    with Engine(tmp_path, embedded(train={"cores_per_task": 2})) as engine:
        narrow = [engine.lane("md").submit(meter) for _ in range(12)]
        wide = [engine.lane("train").submit(meter, 2) for _ in range(4)]
        assert sum(future.result() for future in narrow + wide) == 20
    assert meter.most == 2


def test_two_tasks_of_one_thread_run_at_a_time(tmp_path):
    with Engine(tmp_path, embedded(label={"cores_per_task": 2, "threads_per_task": 1})) as engine:
        narrow = engine.run("md", errands(), [{"number": n, "seconds": 0.5} for n in range(4)])
        assert {each.result()["threads"] for each in narrow} == {"1"}
        assert len({each.result()["worker"] for each in narrow}) == 2
        assert engine.lane("label").threads == 1


def test_a_wide_task_gets_its_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with Engine(tmp_path, embedded(md={"cores_per_task": 2})) as engine:
        (outcome,) = engine.run("md", errands(), [{"number": 1}])
    assert outcome.result()["threads"] == "2"


def test_retries_and_time_limit_of_the_lane(tmp_path):
    with Engine(tmp_path, embedded(label={"retries": 2, "time_limit_s": HANGS_FOR_S})) as engine:
        failing, hanging = engine.run(
            "label", errands(), [{"number": 1, "deed": "fail"}, {"number": 2, "deed": "hang"}]
        )
    assert failing.failure.attempts == 3
    assert "after 3 s" in hanging.failure.reason


def test_a_wide_task_is_not_passed_for_ever():
    budget = CoreBudget(2)
    order = []

    def hold(name, width):
        with budget.held(width):
            order.append(name)

    with budget.held(1):
        threads = []
        for n_waiting, (name, width) in enumerate((("wide", 2), ("narrow", 1), ("narrow", 1)), start=1):
            threads.append(threading.Thread(target=hold, args=(name, width)))
            threads[-1].start()
            wait_for(lambda n_waiting=n_waiting: len(budget._queue) == n_waiting)
        assert order == []  # a core is free, but the wide one was first
    for thread in threads:
        thread.join()
    assert order == ["wide", "narrow", "narrow"]


def test_a_task_wider_than_the_machine_gets_all_of_it():
    with CoreBudget(1).held(64):
        pass
    with pytest.raises(InputError, match="0 cores"):
        CoreBudget(0)


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 4), ("200000 100000", 2), ("50000 100000", 1)])
def test_cores_are_those_of_the_container(quota, expected, tmp_path, monkeypatch):
    from mlip_sse.engine import cores

    path = tmp_path / "cpu.max"
    path.write_text(quota)
    monkeypatch.setattr(cores, "_CGROUP_QUOTA", path)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert available_cores() == expected


def test_a_lane_answers_the_doctor(tmp_path):
    with Engine(tmp_path, embedded()) as engine:
        assert probe_lane(engine.lane("md"), SOON_S).endswith(" s")


def test_a_lane_that_does_not_answer_is_said(tmp_path):
    begun, end = threading.Event(), threading.Event()

    def hold_the_core():
        begun.set()
        return end.wait(SOON_S)

    with Engine(tmp_path, embedded(cores=1)) as engine:
        blocker = engine.lane("label").submit(hold_the_core)
        assert begun.wait(SOON_S)
        with pytest.raises(RunError, match=r"lane md: no worker answered within 0\.3 s"):
            probe_lane(engine.lane("md"), 0.3)
        end.set()
        assert blocker.result()


def test_no_such_lane(tmp_path):
    with pytest.raises(InputError, match="expected one of label, train, md"):
        Engine(tmp_path).lane("gpu")


def test_a_scheduler_that_is_not_here_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for scheduler, program in (("slurm", "sbatch"), ("pbs", "qsub"), ("lsf", "bsub")):
        with (
            Engine(tmp_path, {"scheduler": scheduler}) as engine,
            pytest.raises(InputError, match=f"no program '{program}'"),
        ):
            engine.run("md", errands(), [{"number": 1}])


def test_a_cluster_s_folder_has_no_blanks(tmp_path):
    with (
        Engine(tmp_path / "my campaign", {"scheduler": "local"}) as engine,
        pytest.raises(InputError, match="found blanks in the folder"),
    ):
        engine.run("md", errands(), [{"number": 1}])


def test_settings_that_are_wrong_are_refused_at_once(tmp_path):
    with pytest.raises(SpecError, match="expected one of embedded, local, slurm"):
        Engine(tmp_path, {"scheduler": "slrum"})
