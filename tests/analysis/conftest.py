"""Trajectories of a lithium conductor at several temperatures, and their analysis, made once."""

import pytest

from mlip_sse.analysis.analyze import analyze
from tests.analysis.trajectory_files import FRAME_SPACING_FS, TEMPERATURES, files, write_conductor


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Hold one trajectory for each temperature, three replicas at 700 K, and one file that is no trajectory."""
    root = tmp_path_factory.mktemp("runs")
    for seed, kelvin in enumerate(TEMPERATURES):
        write_conductor(root, kelvin, seed=seed)
    for seed in (11, 12, 13):
        write_conductor(root, 700.0, seed=seed, name=f"700K_{seed}")
    (root / "broken.extxyz").write_text("this is not a trajectory\n")
    return root


@pytest.fixture(scope="session")
def report(folder):
    """Return the analysis of all temperatures in one call."""
    return analyze("transport", files(folder), temperatures_k=TEMPERATURES, frame_spacing_fs=FRAME_SPACING_FS)


@pytest.fixture(scope="session")
def saved(report, tmp_path_factory):
    """Return the folder that the report was saved to, and the paths it said it wrote."""
    out = tmp_path_factory.mktemp("saved") / "new" / "out"
    return out, report.save(out)
