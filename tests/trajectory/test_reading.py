"""From files to trajectories: joining, selecting, spacing, storage, memory and provenance."""

import gc
import gzip
import hashlib
import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlip_sse.errors import FormatError, InputError
from mlip_sse.trajectory.frames import TrajectoryWarning
from mlip_sse.trajectory.model import Trajectory
from mlip_sse.trajectory.reading import read_trajectory
from mlip_sse.trajectory.storage import FrameStore

EDGE, SPECIES = 12.0, {1: "Li", 2: "S"}


def make_walk(n_frames: int = 60, n_atoms: int = 8, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.normal(scale=0.4, size=(n_frames, n_atoms, 3))
    steps[0] = rng.uniform(0, EDGE, (n_atoms, 3))
    return np.cumsum(steps, axis=0)


WALK = make_walk()


def dump(path: Path, frames: range, first_step: int | None = None, columns: str = "x y z", scale: float = 1.0) -> Path:
    """Write frames of the walk, wrapped; step 100 t, or counted from ``first_step``."""
    blocks = []
    for t in frames:
        step = 100 * t if first_step is None else first_step + 100 * (t - frames[0])
        rows = "\n".join(
            f"{i + 1} {1 if i < 5 else 2} {x:.10f} {y:.10f} {z:.10f}"
            for i, (x, y, z) in enumerate((WALK[t] % EDGE) * scale)
        )
        bounds = f"0 {EDGE * scale}\n" * 3
        blocks.append(
            f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n8\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
            f"ITEM: ATOMS id type {columns}\n{rows}\n"
        )
    path.write_text("".join(blocks))
    return path


def read(path: Path | list[Path], **options: object) -> Trajectory:
    return read_trajectory(path, **{"species": SPECIES, "timestep_fs": 1.0, "dtype": np.float64, **options})


def displacements(trajectory: Trajectory) -> np.ndarray:
    return np.asarray(trajectory.positions, dtype=np.float64) - trajectory.positions[0]


def assert_walk(trajectory: Trajectory, frames: slice = slice(None)) -> None:
    expected = WALK[frames]
    # ten decimals in the file
    np.testing.assert_allclose(displacements(trajectory), expected - expected[0], atol=1e-8)


def test_the_walk_comes_back(tmp_path: Path) -> None:
    trajectory = read(dump(tmp_path / "run.dump", range(60)))
    assert_walk(trajectory)
    assert trajectory.frame_spacing_fs == 100.0
    assert Trajectory.read(tmp_path / "run.dump", 25.0, 300.0, species=SPECIES).temperature_k == 300.0


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(0, None, 1), (7, None, 1), (0, 20, 1), (5, 41, 3), (59, 60, 1), (3, 99, 7)]
)
def test_selected_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int, stop: int | None, step: int
) -> None:
    from mlip_sse.trajectory.readers import text_frames

    path = dump(tmp_path / "run.dump", range(60))
    for window in (8 << 20, 3000):  # all frames in one chunk, and two or three in each
        monkeypatch.setattr(text_frames, "_WINDOW_BYTES", window)
        if start == 59:
            with pytest.raises(FormatError, match=r"only one frame in 59:60:1"):
                read(path, start=start, stop=stop, step=step)
            continue
        trajectory = read(path, start=start, stop=stop, step=step)
        assert_walk(trajectory, slice(start, stop, step))
        assert trajectory.frame_spacing_fs == 100.0 * step
        assert len(trajectory.cells) == trajectory.n_frames


@pytest.mark.parametrize("frames", [{"start": -1}, {"step": 0}, {"start": 5, "stop": 5}])
def test_impossible_selections(tmp_path: Path, frames: dict[str, int]) -> None:
    path = dump(tmp_path / "run.dump", range(4))
    with pytest.raises(InputError, match="cannot be read; expected 0 ≤ start < stop and step ≥ 1"):
        read(path, **frames)
    with pytest.raises(FormatError, match="no frame in 4::1 of the 4 that were read"):
        read(path, start=4)
    with pytest.raises(InputError, match="frame_spacing_fs must be positive"):
        read(path, frame_spacing_fs=float("nan"))
    with pytest.raises(InputError, match="no file to read"):
        read([])


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("restarts_count", [False, True])
def test_a_continued_run(tmp_path: Path, overlap: int, restarts_count: bool) -> None:
    parts = [range(0, 20), range(20 - overlap, 45), range(45 - overlap, 60)]
    paths = [
        dump(tmp_path / f"run{i}.dump", part, 100 * (1 - overlap) if restarts_count else None)
        for i, part in enumerate(parts)
    ]
    trajectory = read(paths)
    assert_walk(trajectory)
    kept_once = [text for text in trajectory.provenance.operations if "kept once" in text]
    assert len(kept_once) == 2 * overlap
    assert [item.path for item in trajectory.provenance.inputs] == [str(path) for path in paths]


def test_files_that_do_not_continue_one_run(tmp_path: Path) -> None:
    first = dump(tmp_path / "a.dump", range(20))
    gap = dump(tmp_path / "b.dump", range(22, 40))
    with pytest.raises(FormatError, match=r"b.dump: begins at step 2200, expected 2000 to continue the file before"):
        read([first, gap])
    overlap = dump(tmp_path / "c.dump", range(15, 40))
    with pytest.raises(FormatError, match="begins at step 1500, expected 2000"):
        read([first, overlap])
    other = tmp_path / "d.dump"
    other.write_text(dump(tmp_path / "e.dump", range(20, 40)).read_text().replace("\n5 1 ", "\n5 2 "))
    with pytest.raises(FormatError, match="holds 8 atoms that are not, in this order, the 8 of the file before"):
        read([first, other])
    coarse = tmp_path / "f.dump"
    coarse.write_text("".join(dump(tmp_path / "g.dump", range(t, t + 1)).read_text() for t in range(19, 40, 2)))
    with pytest.raises(FormatError, match="frames are 200 fs apart, 100 fs in the file before"):
        read([first, coarse])
    larger = dump(tmp_path / "h.dump", range(20, 40), scale=1.5)
    with pytest.raises(FormatError, match=r"h.dump: frame 0: the cell changes by more than 20%"):
        read([first, larger])


def test_frames_that_are_written_twice_or_at_uneven_steps(tmp_path: Path) -> None:
    def text(*frames: int) -> str:
        return "".join(dump(tmp_path / "part.dump", range(t, t + 1)).read_text() for t in frames)

    path = tmp_path / "run.dump"
    path.write_text(text(*range(10), *range(9, 20)))  # a restart that appends writes its first frame again
    trajectory = read(path)
    assert_walk(trajectory, slice(0, 20))
    assert any("1 repeated frames left out" in operation for operation in trajectory.provenance.operations)
    path.write_text(text(0, 1, 2, 4, 5))
    with pytest.raises(FormatError, match="frame 3: step 400 comes 200 after the frame before, expected 100"):
        read(path)
    path.write_text(text(0, 1, 2, 1, 2, 3))
    with pytest.raises(FormatError, match=r"frame 3: step 100 comes -100 after.*cut the overlap of restarted runs"):
        read(path)
    path.write_text(text(3))
    with pytest.raises(FormatError, match="only one frame"):
        read(path)
    with pytest.raises(FormatError, match="only one frame"):
        read(path, frame_spacing_fs=1.0)


def test_more_than_the_limit_goes_to_a_file_that_vanishes(tmp_path: Path) -> None:
    path, scratch = dump(tmp_path / "run.dump", range(60)), tmp_path / "scratch"
    scratch.mkdir()
    in_memory = read(path, reference="framework", mobile="Li")
    mapped = read(path, reference="framework", mobile="Li", memory_limit_bytes=3 * 8 * 8 * 10, scratch=scratch)
    assert isinstance(mapped.positions, np.memmap)
    assert not isinstance(in_memory.positions, np.memmap)
    assert list(scratch.iterdir()) == []  # unlinked already, so that nothing is left however the program ends
    np.testing.assert_array_equal(mapped.positions, in_memory.positions)
    np.testing.assert_array_equal(mapped.drift, in_memory.drift)
    indices = in_memory.indices("Li")
    for ours, theirs in itertools.zip_longest(mapped.ion_blocks(indices), in_memory.ion_blocks(indices)):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="read-only"):
        mapped.positions[0, 0, 0] = 1.0
    del mapped
    gc.collect()
    with pytest.raises(InputError, match=r"scratch folder .*missing: No such file"):
        read(path, memory_limit_bytes=1000, scratch=tmp_path / "missing")


@pytest.mark.parametrize("limit", [1, 480, 481, 2000, 10**6])
def test_a_store_keeps_what_it_is_given(limit: int) -> None:
    rng = np.random.default_rng(2)
    frames = rng.normal(size=(37, 5, 3)).astype(np.float32)
    store = FrameStore(5, np.float32, limit)
    for first, stop in itertools.pairwise([0, 3, 4, 20, 37]):
        if first == 4:
            store.keep(frames[first:stop])
        else:
            room = store.room(stop - first)
            room[:] = frames[first:stop]
            store.keep(room)
    np.testing.assert_array_equal(store.finish(), frames)
    with pytest.raises(InputError, match="finished already"):
        store.finish()


def test_float32_is_within_half_its_spacing_of_float64(tmp_path: Path) -> None:
    path = dump(tmp_path / "run.dump", range(60))
    single, double = read(path, dtype=np.float32), read(path)
    assert single.positions.dtype == np.float32
    assert (np.abs(single.positions - double.positions) <= 0.5 * np.spacing(np.abs(single.positions))).all()


def test_compressed_files_read_the_same(tmp_path: Path) -> None:
    path = dump(tmp_path / "run.dump", range(60))
    packed = tmp_path / "run.dump.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read(packed).positions, read(path).positions)


def test_what_the_caller_says_of_wrapping(tmp_path: Path) -> None:
    path = dump(tmp_path / "run.dump", range(60))
    with pytest.raises(InputError, match="wrapped=False was given, but all atoms stay inside one cell"):
        read(path, wrapped=False)
    assert_walk(read(path, wrapped=True))
    claimed = dump(tmp_path / "xu.dump", range(60), columns="xu yu zu")  # wrapped, though the columns say otherwise
    assert_walk(read(claimed, wrapped=True))


def test_the_given_spacing_overrules_the_file(tmp_path: Path) -> None:
    path = dump(tmp_path / "run.dump", range(60))
    with pytest.warns(TrajectoryWarning, match="100 fs apart by the file, 40 fs as given"):
        assert read(path, frame_spacing_fs=40.0).frame_spacing_fs == 40.0


def test_provenance_names_inputs_by_content_and_says_what_was_done(tmp_path: Path) -> None:
    path = dump(tmp_path / "run.dump", range(60))
    provenance = read(path, reference="barycentric").provenance
    assert provenance.inputs[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert provenance.inputs[0].size_bytes == path.stat().st_size
    told = "\n".join(provenance.operations)
    for part in ("LAMMPS units taken as metal", "frames 0::1 kept", "unwrapped: fractional steps", "reference frame"):
        assert part in told
    assert provenance.settings["timestep_fs"] == 1.0


def test_an_unknown_species_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'Xq' is not a chemical symbol; pass species="):
        read(dump(tmp_path / "run.dump", range(3)), species={1: "Li", 2: "Xq"})


@pytest.mark.slow
def test_the_peak_memory_stays_below_a_limit(repository: Path, tmp_path: Path) -> None:
    script = repository / "benchmarks/streaming_memory.py"
    spec = importlib.util.spec_from_file_location("streaming_memory", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path / "run.dump"
    module.write_dump(path, 10**9)
    command = [sys.executable, str(script), "--read", str(path), "--scratch", str(tmp_path), "--limit-mb", "100"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found["mapped"] == 1.0
    # 340 MB of coordinates in float32; 100 MB are allowed, the program and its buffers take the rest
    assert found["peak_mb"] < 450
