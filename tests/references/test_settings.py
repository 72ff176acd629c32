"""Settings are checked in full before the first label; nothing of a user's text means anything to a shell."""

import numpy as np
import pytest
from ase.build import bulk

from mlip_sse.errors import InputError, MissingExtraError, SpecError
from mlip_sse.references import AseSpec, Gates, VaspSpec, load_reference
from mlip_sse.references.gates import require_settings
from mlip_sse.references.k_points import k_mesh


def test_load_by_name_argument_mapping_and_file(tmp_path):
    assert load_reference("vasp").spec.functional == "PBE"
    assert load_reference("chgnet:r2scan").spec.model == "r2scan"
    assert load_reference("ase:ase.calculators.emt:EMT").spec.calculator == "ase.calculators.emt:EMT"
    assert load_reference({"kind": "cp2k", "cutoff_ev": 9000}).spec.cutoff_ev == 9000
    (tmp_path / "r.yaml").write_text("kind: gpaw\ncutoff_ev: 700\nfunctional: PBEsol\n")
    assert load_reference(tmp_path / "r.yaml").spec.functional == "PBEsol"
    assert load_reference(VaspSpec()).kind == "vasp"


def test_it_is_one_of_the_names_scripts_rely_on():
    import mlip_sse

    assert mlip_sse.load_reference is load_reference


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("chgnte", "did you mean 'chgnet'"),
        ({"kind": "magic"}, "expected one of chgnet, gpaw"),
        ({}, "found nothing"),
        ("gpaw:fast", "takes no argument"),
        ("chgnet:0.9", "0.3.0"),
        ("espresso", "missing key 'pseudo_dir'"),
        ({"kind": "gpaw", "cutof_ev": 600}, "did you mean 'cutoff_ev'"),
        ({"kind": "vasp", "command": "vasp_std; rm -rf ~"}, "no shell reads it"),
        ({"kind": "vasp", "command": "vasp_std $(id)"}, "no shell reads it"),
        ({"kind": "vasp", "command": "a\nb`c`"}, "no shell reads it"),
        ({"kind": "cp2k", "command": "cp2k | tee"}, "no shell reads it"),
        ({"kind": "cp2k", "basis_set": "X\n&END"}, "plain name"),
        ({"kind": "vasp", "incar": {"ENCUT": 300}}, "has its own key in the spec"),
        ({"kind": "vasp", "incar": {"algo": "All"}}, "not an INCAR tag"),
        ({"kind": "vasp", "incar": {"ALGO": "All\nENCUT = 100"}}, "plain words"),
        ({"kind": "espresso", "pseudo_dir": "/x", "pseudopotentials": {"Li": "../Li.upf"}}, "plain name"),
        ({"kind": "espresso", "pseudo_dir": "/x'\n", "pseudopotentials": {"Li": "Li.upf"}}, "pseudo_dir"),
        ("ase:os.system", "calculator"),
        ("ase:a.b:C()", "calculator"),
        ("ase:a b:C", "calculator"),
        ("ase:.a:C", "calculator"),
        ("ase:a.b:C\n", "calculator"),
        ({"kind": "ase", "calculator": "a:B", "settings": {"x": {"y": 1}}}, "settings"),
        ({"kind": "ase", "calculator": "a:B", "settings": {"x y": 1}}, "expected a keyword"),
        ({"kind": "ase", "calculator": "a:B", "settings": {"x": float("inf")}}, "settings"),
    ],
)
def test_bad_settings_in_one_line(source, message):
    with pytest.raises(SpecError, match=message) as caught:
        load_reference(source)
    assert "\n" not in str(caught.value)


def test_identity_leaves_out_what_changes_no_number():
    one = VaspSpec(command="vasp_std", time_limit_s=1.0, gates=Gates(force_cap_ev_a=3.0))
    other = VaspSpec(command="mpirun -n 8 vasp_std")
    assert one.identity() == other.identity()
    assert one.identity() != VaspSpec(cutoff_ev=520).identity()
    assert AseSpec(calculator="a:B").identity() != AseSpec(calculator="a:B", settings={"x": 1}).identity()


@pytest.mark.parametrize(
    ("code", "cutoff_ev", "elements", "fits"),
    [
        ("gpaw", 300, ["Li", "F"], False),
        ("gpaw", 500, ["Li", "F"], False),
        ("gpaw", 600, ["Li", "F"], False),
        ("gpaw", 700, ["Li", "F"], True),
        ("gpaw", 399, ["Li", "S"], False),
        ("gpaw", 400, ["Li", "S"], True),
        ("vasp", 400, ["Li", "S"], False),
        ("espresso", 540, ["Li", "S"], True),
        ("cp2k", 4000, ["Li", "O"], False),
    ],
)
def test_the_cutoff_gate(code, cutoff_ev, elements, fits):
    """GPAW at 300 eV is 250 GPa off for LiF, at 600 eV 1.6, without a word; the gate refuses before a calculation."""
    if fits:
        require_settings(code, cutoff_ev, 0.3, elements, Gates())
        return
    with pytest.raises(InputError, match=f"found cutoff_ev {cutoff_ev}, expected at least"):
        require_settings(code, cutoff_ev, 0.3, elements, Gates())
    require_settings(code, cutoff_ev, 0.3, elements, Gates(minimum_cutoff_ev=200))


def test_the_k_spacing_gate():
    with pytest.raises(InputError, match=r"found k_spacing_inv_a 0.8, expected at most 0.5"):
        require_settings("gpaw", 600, 0.8, ["Li"], Gates())
    require_settings("gpaw", 600, 0.8, ["Li"], Gates(maximum_k_spacing_inv_a=1.0))


def test_the_gate_stands_before_every_label(codes, tmp_path):
    reference = load_reference({"kind": "vasp", "command": "vasp_std", "cutoff_ev": 300})
    (failure,) = reference.label([bulk("Cu", cubic=True)], tmp_path).failures
    assert "expected at least 500 eV for vasp" in failure.reason
    assert not list(tmp_path.iterdir())


def test_mesh_from_spacing():
    """VASP's rule: a cube of 5 Å has |b| = 1.2566, which 0.22 divides 5.7 times; a sheared cell by its heights."""
    assert k_mesh(5 * np.eye(3), 0.22) == (6, 6, 6)
    assert k_mesh(5 * np.eye(3), 2 * np.pi / 5) == (1, 1, 1)
    sheared = np.array([[5.0, 0, 0], [4.0, 3.0, 0], [0, 0, 10.0]])
    lengths = 2 * np.pi / np.array([3.0, 3.0, 10.0])  # heights: 15/|b×...| of the oblique pair are both 3
    assert k_mesh(sheared, 0.3) == tuple(int(np.ceil(x / 0.3)) for x in lengths)
    assert k_mesh(5 * np.eye(3), 0.22, (True, True, False)) == (6, 6, 1)


def test_missing_programs_files_and_packages(tmp_path, monkeypatch):
    copper = [bulk("Cu", cubic=True)]
    with pytest.raises(InputError, match="no program 'no_such_vasp'"):
        load_reference({"kind": "vasp", "command": "no_such_vasp"}).label(copper, tmp_path)
    given = {"kind": "espresso", "pseudo_dir": str(tmp_path), "pseudopotentials": {"Cu": "Cu.upf"}}
    with pytest.raises(InputError, match=r"Cu\.upf: found no such file"):
        load_reference({**given, "command": "true"}).label(copper, tmp_path)
    monkeypatch.setattr("mlip_sse.references.backend.version", missing)
    for name in ("chgnet", "gpaw"):
        with pytest.raises(MissingExtraError, match=rf"pip install 'mlip-sse\[{name}\]'"):
            load_reference(name).label(copper, tmp_path)
    with pytest.raises(InputError, match="workers 0"):
        load_reference("ase:ase.calculators.emt:EMT").label(copper, tmp_path, workers=0)


def missing(name):
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)


def test_surrogates_are_never_called_dft():
    pytest.importorskip("chgnet", reason="chgnet is not installed")
    found = load_reference("chgnet").fingerprint
    assert (found.method, found.model) == ("surrogate", "0.3.0")
    assert "dft" not in found.describe().lower()
    assert found.difference(load_reference("chgnet:r2scan").fingerprint)
