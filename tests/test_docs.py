"""Every code block of the README and of the guide runs.

Python blocks of a page share one namespace and run in the order of the page; console lines that start with
``$ mlip-sse``, ``$ lmp`` or ``$ mpirun`` run between them and must leave with exit code 0; ``$ make`` lines must name a
target. A campaign takes too long: of ``$ mlip-sse campaign`` the options are parsed, spec and engine are loaded as the
program loads them, and a folder is left as a finished campaign leaves it, with made-up numbers and a potential that
ships, so that the program only prints its answer. All in a folder that holds the dumps the pages speak of, lithium
walking among a vibrating framework at four temperatures, and what else a page asks for: data of others, a small
potential for LiCl, and a campaign of made-up numbers.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from mlip_sse.campaign.folder import CampaignFolder
from mlip_sse.campaign.specs import CampaignSpec, load_campaign
from mlip_sse.cli.campaign import command as campaign_command
from mlip_sse.cli.main import VERBS, main
from mlip_sse.cli.properties import STEPS
from mlip_sse.engine import load_engine
from mlip_sse.readiness import checks, lanes
from mlip_sse.specs import Spec
from tests.report.sample_campaign import Sample, put, write_campaign

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

DATA = {
    "docs/guides/fit-your-dft.md": {"dft.extxyz": "lips_dft/lips_devset_194.extxyz"},
    "docs/mechanism.md": {
        name: f"li6ps5cl_md/{name}"
        for name in ("actual_XDATCAR.gz", "inherent_XDATCAR.gz", "Li6PS5X_complete_sites.cif")
    },
    "docs/stable-against-lithium.md": {"entries.json": "lifepo_entries/Li-Fe-P-O_entries.json"},
}
"""What a page expects to find, and where it lies beside the repository."""

NEED_A_CAMPAIGN = {"docs/read-the-report.md"}

NEED_A_POTENTIAL = {"docs/guides/ase-script.md", "docs/guides/lammps-deck.md", "docs/potentials.md"}

RECIPE = {
    "description": "LiCl on the labels of rigid ions",
    "family": "pod",
    "cutoff": 5.0,
    "two_body": 4,
    "three_body": {"radial": 3, "angular": 2},
    "split": {"validation": 0.25, "test": 0.25},
    "domain": {"temperature_k": [300.0, 500.0], "references": ["none: a stand-in for the tests"], "licence": "MIT"},
}

N_FRAMES, N_IONS, EDGE, SPACING_FS = 1500, 48, 16.0, 100.0
TEMPERATURES_K = (500, 600, 700, 800)


def write_dump(path, temperature_k, rng):
    """Write a LAMMPS dump of independent walkers with D = 2e-3 exp(-0.25 eV/k_B T) cm²/s."""
    diffusivity_a2_per_fs = 2e-3 * np.exp(-0.25 / (8.617333e-5 * temperature_k)) / 0.1
    start = rng.uniform(0, EDGE, (2 * N_IONS, 3))
    moves = rng.normal(0, np.sqrt(2 * diffusivity_a2_per_fs * SPACING_FS), (N_FRAMES, N_IONS, 3))
    walkers = start[:N_IONS] + np.cumsum(moves, axis=0)
    framework = start[N_IONS:] + rng.normal(0, 0.1, (N_FRAMES, N_IONS, 3))
    positions = np.concatenate([walkers, framework], axis=1)
    symbols = ["Li"] * N_IONS + ["S"] * (N_IONS // 2) + ["P"] * (N_IONS - N_IONS // 2)
    with open(path, "w") as stream:
        for frame, coordinates in enumerate(positions):
            step = round(frame * SPACING_FS / 2)
            stream.write(f"ITEM: UNITS\nmetal\nITEM: TIME\n{frame * SPACING_FS / 1000:.4f}\nITEM: TIMESTEP\n{step}\n")
            stream.write(f"ITEM: NUMBER OF ATOMS\n{len(symbols)}\nITEM: BOX BOUNDS pp pp pp\n")
            stream.write(f"0 {EDGE}\n" * 3 + "ITEM: ATOMS id element xu yu zu\n")
            rows = zip(symbols, coordinates.tolist(), strict=True)
            stream.writelines(f"{i} {s} {x:.5f} {y:.5f} {z:.5f}\n" for i, (s, (x, y, z)) in enumerate(rows, 1))


@pytest.fixture(scope="module")
def dumps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dumps")
    rng = np.random.default_rng(4)
    for temperature_k in TEMPERATURES_K:
        write_dump(folder / f"md_{temperature_k}K.lammpstrj", temperature_k, rng)
    return folder


@pytest.fixture(scope="module")
def small_potential(tmp_path_factory):
    """Fit a potential to rattled rock salt that rigid ions label."""
    from mlip_sse.dataset import Fingerprint, LabelledFrame
    from mlip_sse.potentials import load_potential
    from mlip_sse.potentials.fitting import fit
    from mlip_sse.potentials.pod.specs import PodSpec
    from mlip_sse.structures import compact_supercell, crystal, rattle, scale_volume

    folder = tmp_path_factory.mktemp("fit")
    calculator = load_potential("licl_born_mayer").calculator()
    frames = []
    for seed in range(24):
        stretched = scale_volume(compact_supercell(crystal("licl"), min_edge=10.0), 0.04 * (seed % 4) - 0.06)
        atoms = rattle(stretched, 0.05 + 0.1 * (seed % 3), seed=seed)
        atoms.calc = calculator
        atoms.get_potential_energy()  # ASE's calculators compute forces and stress with it
        frames.append(LabelledFrame.from_atoms(atoms, Fingerprint.declared("rigid ions"), group=f"frame {seed}"))
    fit(PodSpec.parse(RECIPE), frames, folder)
    return folder / "potential"


def console_lines(block):
    """Return the commands of a console block, continuation lines joined."""
    joined = re.sub(r"\\\n\s*", " ", block)
    return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_block_of_the_page_runs(page, dumps, request, shared_data, tmp_path, monkeypatch, capsys):
    if str(page.relative_to(REPOSITORY)) in NEED_A_POTENTIAL:
        (tmp_path / "my_potential").symlink_to(request.getfixturevalue("small_potential"))
    if str(page.relative_to(REPOSITORY)) in NEED_A_CAMPAIGN:
        write_campaign(tmp_path / "my-campaign", Sample(n_rounds=3, n_frames=60))
    for name, source in DATA.get(str(page.relative_to(REPOSITORY)), {}).items():
        (tmp_path / name).symlink_to(shared_data(source).resolve())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(checks, "TIMEOUT_S", 600.0)  # `doctor` on a busy machine
    monkeypatch.setattr(lanes, "_ANSWER_WITHIN_S", 300.0)
    for dump in dumps.iterdir():
        (tmp_path / dump.name).symlink_to(dump)
    text = page.read_text(encoding="utf-8")
    namespace = {"__name__": "__main__"}
    for match in BLOCK.finditer(text):
        language, block = match.groups()
        line = text.count("\n", 0, match.start()) + 2
        if language == "python":
            # The empty lines make a traceback show the line of the page.
            exec(compile("\n" * (line - 1) + block, str(page), "exec"), namespace)
            continue
        for command in console_lines(block):
            run_console_line(command, f"{page.name}:{line}", capsys)


def run_console_line(command, where, capsys):
    words = shlex.split(command)
    if words[:2] == ["mlip-sse", "campaign"] and not leave_a_campaign(words[2:]):
        return
    if words[0] == "mlip-sse":
        code = main(words[1:])
        assert code == 0, f"{where}: {command}: {capsys.readouterr().err}"
    elif words[0] == "cd":
        os.chdir(words[1])  # the test's own change of folder is undone at its end, and this one with it
    elif words[0] in ("lmp", "mpirun"):
        activated = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, env=activated
        )
        assert done.returncode == 0, f"{where}: {command}: {done.stdout[-800:]}{done.stderr[-800:]}"
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets, f"{where}: {command}"
    else:
        assert words[:2] == ["pip", "install"], f"{where}: a command that is not checked: {command}"


def leave_a_campaign(arguments):
    """Check that a campaign would start, and leave what one leaves; return whether the program can go on from there."""
    program = typer.Typer()
    program.command()(campaign_command)
    options = typer.main.get_command(program).make_context("campaign", list(arguments)).params
    spec = load_campaign(options["spec"])
    load_engine(options["engine"])
    folder = Path(options["out"] or Path(options["spec"]).stem)
    if not folder.exists():
        write_campaign(folder, Sample(n_rounds=3, n_frames=60))
        for name in ("spec.yaml", "campaign.json"):  # of another spec; the campaign's own code writes them anew
            (folder / name).unlink()
        (folder / ".driver").touch()
        for name in ("potential", "dataset"):
            shutil.rmtree(folder / name)
        shutil.copytree(REPOSITORY / "potentials" / "li6ps5cl_pod", folder / "potential")
        for path in (folder / "rounds").iterdir():
            document = json.loads(path.read_text())
            document["potential"]["path"] = "potential"
            state = {"train": [], "held_out": [], "n_calls": 270, "digest": "0" * 64, "reach": 1.0, "starts": []}
            put(path, document | {"state_of_learning": state})
        for path in (folder / "trajectories").iterdir():
            path.rename(path.with_name(path.name.replace("K_0.", "K_seed1.")))
        answer = folder / "answer.json"
        answer.write_text(answer.read_text().replace("K_0.", "K_seed1."))
    with CampaignFolder(folder).opened(spec):
        assert (folder / "spec.yaml").is_file()
    return spec.question == "conductivity" and options["engine"] is None  # the made-up numbers are of a conductivity


def test_each_page_is_in_the_navigation_and_none_is_empty():
    navigation = (REPOSITORY / "mkdocs.yml").read_text()
    for page in PAGES:
        lines = page.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line and not line.startswith("#")], page
        if page.parent != REPOSITORY:
            assert str(page.relative_to(REPOSITORY / "docs")) in navigation


def test_the_page_on_the_command_line_lists_every_verb():
    text = (REPOSITORY / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)(?: [^`]*)?` \|", text, re.MULTILINE)) == set(VERBS)
    assert re.findall(r"^\| `properties ([a-z-]+) [^`]*` \|", text, re.MULTILINE) == list(STEPS)


def keys_of_a_campaign():
    """Yield each key of a campaign, sections as ``section.key``, and its default as the page writes it."""
    for name, field in CampaignSpec.model_fields.items():
        own = field.get_default(call_default_factory=True)
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, Spec)):
            yield name, own
            continue
        for key, inner in field.annotation.model_fields.items():
            yield f"{name}.{key}", getattr(own, key) if isinstance(own, Spec) else inner.default


def test_the_page_on_campaigns_explains_every_key_with_its_default():
    _, _, text = (REPOSITORY / "docs" / "campaign.md").read_text(encoding="utf-8").partition("## Every key")
    shown = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| (?:`([^`]*)` )?\|", text, re.MULTILINE))
    known = dict(keys_of_a_campaign())
    assert set(shown) == set(known)
    for key, default in known.items():
        if isinstance(default, int | float | str):
            assert shown[key] == (f"{default:g}" if isinstance(default, float) else str(default)), key


def test_no_block_escapes_the_tests():
    """A fence in another language, or one that is indented, would never run; ``text`` shows output and no command."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fences = re.findall(r"^[ >]*```(.*)$", text, re.MULTILINE)
        shown = re.findall(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert len(fences) == 2 * (len(BLOCK.findall(text)) + len(shown)), page
        assert not [block for block in shown if re.search(r"^\$ ", block, re.MULTILINE)], page
