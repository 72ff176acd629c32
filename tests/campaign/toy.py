"""A campaign of a minute: molten salt, a teacher of milliseconds, a small POD."""

import os
from pathlib import Path

import pytest
import yaml

from mlip_sse.campaign.specs import CampaignSpec

REPOSITORY = Path(__file__).parents[2]

RECIPE = {
    "description": "a small POD for tests",
    "family": "pod",
    "inner_cutoff": 1.0,
    "cutoff": 5.0,
    "inverse_degree": 3,
    "two_body": 6,
    "three_body": {"radial": 3, "angular": 1},
    "regularisation": 1e-6,
    "active_set_cutoff": 0.01,
    "committee": 4,
    "core": {"pairs": 2},
    "domain": {
        "temperature_k": [300.0, 4000.0],
        "pressure_gpa": [-1.0, 30.0],
        "references": ["none"],
        "licence": "MIT",
    },
}

PLAIN = {
    "description": "a toy",
    "question": "conductivity",
    "structure": {"crystal": "licl", "min_width_a": 8.0},
    "mobile": "Li",
    "temperatures_k": [1300.0, 1500.0, 1700.0, 2000.0],
    "reference": {"kind": "ase", "calculator": "tests.campaign.toy_teacher:MoltenSalt"},
    "seeds": {"relax_steps": 10, "strained": 5, "rattled": 8, "displaced": 4, "contacts": 4},
    "explore": {
        "segments": 2,
        "segment_ps": 0.4,
        "timestep_fs": 2.0,
        "look_every_fs": 20.0,
        "overheat": 1.0,
        "stop_error_ev_a": 2.0,
    },
    "select": {"frames": 8, "held_out": 4, "per_segment": 6},
    "production": {
        "seeds": 1,
        "production_ps": 4.0,
        "cell_ps": 0.8,
        "settle_ps": 0.4,
        "dump_every_fs": 20.0,
        "members": 2,
        "member_ps": 2.0,
        "probe_ps": 2.0,
        "teacher_ps": 0.4,
    },
    "decide": {"alarms": 1.0, "error_change": 1.0, "explored_ps": 0.0, "factor_300k": 1e9},
    "budget": {"labels": 80, "rounds": 3},
}


def toy_plain(folder: Path, **changes: object) -> dict[str, object]:
    """Return the spec as plain data; its recipe is written into ``folder``."""
    recipe = folder / "pod_toy.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    return {**PLAIN, "potential": os.fspath(recipe), **changes}


def toy_spec(folder: Path, **changes: object) -> CampaignSpec:
    """Return the spec; its recipe is written into ``folder``."""
    return CampaignSpec.parse(toy_plain(folder, **changes))


def without_clocks(document):
    """Return a document without what tells when, where and how fast it was made."""
    if isinstance(document, dict):
        gone = {"wall_s", "speed", "created"}
        return {key: without_clocks(each) for key, each in document.items() if key not in gone}
    return [without_clocks(each) for each in document] if isinstance(document, list) else document


@pytest.fixture(scope="module")
def importable():
    """Let worker processes import the toy's teacher."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.fspath(REPOSITORY))
        yield
