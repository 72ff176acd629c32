"""The catalogue folders hold what their READMEs say, and names resolve in the stated order."""

import re

import pytest

from mlip_sse import catalogue
from mlip_sse.catalogue import FOLDERS, entries, resolve
from mlip_sse.cli.main import VERBS
from mlip_sse.errors import CatalogueError
from mlip_sse.specs import EntrySpec, load_spec

SUFFIX_OF_CODE = {".py", ".pyc", ".pyi", ".ipynb"}


@pytest.fixture
def own_catalogue(tmp_path, monkeypatch):
    """Make a user's catalogue with one file entry and one folder entry, first on the search path."""
    root = tmp_path / "own"
    (root / "analysis").mkdir(parents=True)
    (root / "analysis" / "mine.yaml").write_text("description: my recipe\n")
    (root / "potentials" / "lj").mkdir(parents=True)
    (root / "potentials" / "lj" / "potential.yaml").write_text("description: my potential\n")
    (root / "potentials" / "notes").mkdir()
    monkeypatch.setenv(catalogue.SEARCH_PATH_VARIABLE, f"{tmp_path / 'absent'}:{root}")
    return root


# The folders of this repository


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_code_lies_in_a_catalogue_folder(repository, folder):
    files = [path for path in (repository / folder).rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if path.suffix in SUFFIX_OF_CODE] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_entry_loads_against_its_spec(folder):
    for entry in entries(folder):
        spec = load_spec(entry.name, folder)
        assert isinstance(spec, EntrySpec), entry
        assert "\n" not in spec.description.strip(), entry


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_lists_exactly_the_entries(repository, folder):
    text = (repository / folder / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| [^|]+ \| `mlip-sse ([a-z-]+) [^|]+` \|$", text, flags=re.MULTILINE)
    assert sorted(name for name, _ in rows) == [entry.name for entry in entries(folder)]
    assert {verb for _, verb in rows} <= set(VERBS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_yaml_file_is_an_entry(repository, folder):
    """A misplaced YAML file would be shipped and never found."""
    known = {entry.path.resolve() for entry in entries(folder)}
    own = {path.resolve() for path in (repository / folder).glob("*.y*ml")}
    assert own <= known


# Resolution


def test_a_name_on_the_search_path_resolves(own_catalogue):
    assert resolve("analysis", "mine") == own_catalogue / "analysis" / "mine.yaml"
    assert resolve("potentials", "lj") == own_catalogue / "potentials" / "lj" / "potential.yaml"
    assert [entry.name for entry in entries("potentials") if entry.path.is_relative_to(own_catalogue)] == ["lj"]


def test_the_first_root_wins(own_catalogue, tmp_path, monkeypatch):
    before = tmp_path / "before" / "analysis"
    before.mkdir(parents=True)
    (before / "mine.yaml").write_text("description: nearer\n")
    monkeypatch.setenv(catalogue.SEARCH_PATH_VARIABLE, f"{before.parent}:{own_catalogue}")
    assert resolve("analysis", "mine") == before / "mine.yaml"
    assert [entry.path for entry in entries("analysis") if entry.name == "mine"] == [before / "mine.yaml"]


def test_a_path_wins_over_a_name(own_catalogue, tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("description: here\n")
    monkeypatch.chdir(tmp_path)
    assert resolve("analysis", "mine.yaml").resolve() == tmp_path / "mine.yaml"
    assert resolve("analysis", tmp_path / "mine.yaml") == tmp_path / "mine.yaml"
    assert resolve("potentials", own_catalogue / "potentials" / "lj").name == "potential.yaml"


def test_an_output_folder_of_the_same_name_does_not_hide_the_entry(own_catalogue, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("analysis", "mine") == own_catalogue / "analysis" / "mine.yaml"


def test_an_unknown_name_lists_the_entries_and_guesses(own_catalogue):
    with pytest.raises(
        CatalogueError, match=r"no entry 'mime' in analysis, expected one of .*mine.*did you mean 'mine'"
    ):
        resolve("analysis", "mime")


@pytest.mark.parametrize(
    "name", ["../own/analysis/mine", "..", "a/b", "", ".", "/etc/passwd", "analysis/absent.yaml", "a\nb"]
)
def test_a_name_cannot_leave_the_folder(own_catalogue, name):
    with pytest.raises(CatalogueError):
        resolve("analysis", name)


@pytest.mark.parametrize("kind", ["recipes", "", "../analysis"])
def test_an_unknown_kind_lists_the_kinds(kind):
    listed = "potentials, md_protocols, md_protocols/campaigns, analysis"
    with pytest.raises(CatalogueError, match=f"expected one of {listed}"):
        entries(kind)
    with pytest.raises(CatalogueError, match="expected one of"):
        resolve(kind, "x")


def test_the_checkout_counts_only_beside_pyproject(tmp_path, monkeypatch):
    package = tmp_path / "site" / "mlip_sse"
    package.mkdir(parents=True)
    (tmp_path / "site" / "analysis").mkdir()
    monkeypatch.delenv(catalogue.SEARCH_PATH_VARIABLE, raising=False)
    monkeypatch.setattr(catalogue, "__file__", str(package / "catalogue.py"))
    assert catalogue.search_path() == ()
    (package / "_catalogue").mkdir()
    assert catalogue.search_path() == (package / "_catalogue",)
    (tmp_path / "site" / "pyproject.toml").write_text("")
    assert catalogue.search_path() == (package / "_catalogue", tmp_path / "site")
