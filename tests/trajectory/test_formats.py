"""Every format is found by its content; names that promise another format, empty and unknown files are refused."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from foreign_writers import SYMBOLS

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.formats import FORMATS, detect_format, open_source
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.readers.compressed import open_bytes


@pytest.fixture
def files(foreign_files: dict[str, Path]) -> dict[str, Path]:
    return foreign_files


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_every_format_has_a_file_and_is_detected(files: dict[str, Path]) -> None:
    assert set(files) == set(FORMATS)
    assert {name: detect_format(path) for name, path in files.items()} == {name: name for name in FORMATS}


@pytest.mark.parametrize("name", list(FORMATS))
def test_an_unknown_suffix_leaves_the_word_to_the_content(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "run.data"
    copy.write_bytes(files[name].read_bytes())
    assert detect_format(copy) == name


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_suffix_of_another_format_is_refused(name: str, files: dict[str, Path], tmp_path: Path) -> None:
    suffix = ".dcd" if name != "dcd" else ".xtc"
    copy = tmp_path / f"run{suffix}"
    copy.write_bytes(files[name].read_bytes())
    with pytest.raises(FormatError) as error:
        Trajectory.read(copy, frame_spacing_fs=1.0)
    text = one_line(error)
    assert FORMATS[name].title in text
    assert suffix[1:].upper() in text
    options = {"cell": [9.0, 8.0, 10.0]} if name == "xyz" else {}
    if name in ("dcd", "xtc", "trr", "netcdf", "h5md"):
        options["species"] = SYMBOLS
    elif name == "lammps-binary":
        options["species"] = {1: "Ar"}
    assert open_source(copy, name, **options).n_atoms in (len(SYMBOLS), 32)  # the caller's word overrules the name


def test_an_explicit_format_does_not_overrule_the_content(files: dict[str, Path]) -> None:
    with pytest.raises(FormatError, match=r"format='xtc' was asked for, the content looks like DCD"):
        open_source(files["dcd"], "xtc")
    with pytest.raises(InputError, match=r"format 'foo' is unknown; expected one of lammps-dump,"):
        open_source(files["dcd"], "foo")


@pytest.mark.parametrize("name", ["run.xtc", "XDATCAR", "run.lammpstrj", "vasprun.xml", "run.h5md", "run.bin", "run"])
def test_an_empty_file_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.touch()
    with pytest.raises(FormatError, match="empty") as error:
        Trajectory.read(path, frame_spacing_fs=1.0)
    one_line(error)


def test_unknown_content_lists_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary,\ntoday nothing diffused.\n")
    with pytest.raises(FormatError) as error:
        detect_format(path)
    text = one_line(error)
    assert all(known.title in text for known in FORMATS.values())
    renamed = path.rename(tmp_path / "run.xtc")
    with pytest.raises(FormatError, match="the name promises XTC, the content begins with 'Dear diary"):
        detect_format(renamed)


def test_missing_files_folders_and_options_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "nowhere.xtc")
    with pytest.raises(InputError, match="not a regular file"):
        open_source(tmp_path)
    with pytest.raises(InputError, match="XTC has no option 'colour'; it takes species, topology"):
        open_source(files["xtc"], colour="red")


def test_every_suffix_and_basename_belongs_to_a_reader_that_exists() -> None:
    for known in FORMATS.values():
        assert callable(known.load())
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in known.suffixes)


@pytest.mark.parametrize(("suffix", "opener"), [(".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)])
@pytest.mark.parametrize("name", ["lammps-dump", "xdatcar", "extxyz", "vasprun", "outcar", "xyz"])
def test_compressed_text_reads_like_plain_text(
    suffix: str, opener: object, name: str, files: dict[str, Path], tmp_path: Path
) -> None:
    copy = tmp_path / (files[name].name + suffix)
    with opener(copy, "wb") as stream:
        stream.write(files[name].read_bytes())
    options = {"cell": [9.0, 8.0, 10.0]} if name == "xyz" else {}
    spacing = None if name == "lammps-dump" else 5.0
    read = [Trajectory.read(path, frame_spacing_fs=spacing, wrapped=True, **options) for path in (files[name], copy)]
    np.testing.assert_array_equal(read[0].positions, read[1].positions)


def test_a_damaged_compressed_stream_is_one_line(files: dict[str, Path], tmp_path: Path) -> None:
    whole = gzip.compress(files["outcar"].read_bytes(), mtime=0)
    cut = tmp_path / "OUTCAR.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError, match="gzip stream is damaged or cut off") as error:
        Trajectory.read(cut)
    one_line(error)
    plain = tmp_path / "run.dump.gz"
    plain.write_bytes(files["lammps-dump"].read_bytes())
    with pytest.raises(FormatError, match="the suffix promises gzip"):
        open_bytes(plain)


def test_compressed_binary_files_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "run.xtc.gz"
    copy.write_bytes(gzip.compress(files["xtc"].read_bytes()))
    with pytest.raises(FormatError, match="XTC is binary and read in place; decompress the file first"):
        open_source(copy, species=SYMBOLS)


def test_an_hdf5_file_that_is_neither_is_unknown(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = [1, 2, 3]
    with pytest.raises(FormatError, match="the name promises H5MD"):
        detect_format(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(FormatError, match="the HDF5 file cannot be read") as error:
        detect_format(path)
    one_line(error)
