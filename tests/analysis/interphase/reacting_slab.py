"""A model of lithium on a thiophosphate whose units turn into Li3P, Li2S and LiCl surroundings when they are told to.

Units of 7 Å stand on a square lattice; in each a PS4 tetrahedron, four lithium atoms and a chloride. Converted, the
sulfur leaves its phosphorus and lithium moves in. Lithium metal fills the rest of the cell.
"""

import numpy as np

from mlip_sse.trajectory.model import Trajectory

EDGE = 7.0
UNIT = ["P", "S", "S", "S", "S", "Li", "Li", "Li", "Li", "Cl"]
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
FACES = 0.5 * EDGE * np.eye(3)
CHLORIDE = np.full((1, 3), 0.5 * EDGE)
WHOLE = np.concatenate([np.zeros((1, 3)), 2.05 / 3**0.5 * CORNERS, FACES, [[3.5, 3.5, 0.6]], CHLORIDE])
BROKEN = np.concatenate([np.zeros((1, 3)), 1.96 * CORNERS, 2.5 * np.eye(3), [[3.5, 3.5, 0.6]], CHLORIDE])


def reacting(
    conversion_ps,
    shape=(3, 3, 8),
    n_frames=100,
    spacing_ps=1.0,
    metal=12.0,
    vacuum=0.0,
    vibration=0.08,
    drift=0.0,
    strain=0.0,
    seed=0,
    temperature_k=None,
    metal_species="Li",
):
    """Return a trajectory; ``conversion_ps`` : (nx, ny, nz) time at which each unit turns, infinite for never.

    ``vacuum`` Å at the lower end of the electrolyte leave one interface; ``drift`` Å by frame moves all along z;
    ``strain`` breathes c.
    """
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    times = np.asarray(conversion_ps, dtype=float).reshape(-1)
    origin = np.array([0.0, 0.0, vacuum + 0.5 * EDGE])
    slab = shape[2] * EDGE
    layers = max(1, int(metal // 3.0))
    n_plane = [max(1, int(n * EDGE // 3.0)) for n in shape[:2]]
    grid = np.stack(np.meshgrid(np.arange(n_plane[0]), np.arange(n_plane[1]), np.arange(layers), indexing="ij"), -1)
    pitch = np.array([shape[0] * EDGE / n_plane[0], shape[1] * EDGE / n_plane[1], 3.0])
    lithium = grid.reshape(-1, 3) * pitch + [0.0, 0.0, vacuum + slab + 2.0]
    box = np.array([shape[0] * EDGE, shape[1] * EDGE, vacuum + slab + layers * 3.0 + 1.0])
    frames = np.empty((n_frames, len(UNIT) * len(cells) + len(lithium), 3))
    boxes = np.empty((n_frames, 3, 3))
    for frame in range(n_frames):
        turned = frame * spacing_ps >= times
        units = np.where(turned[:, None, None], BROKEN, WHOLE) + (EDGE * cells + origin)[:, None]
        breath = np.array([1.0, 1.0, 1.0 + strain * np.sin(0.7 * frame)])
        places = np.concatenate([units.reshape(-1, 3), lithium])
        frames[frame] = places * breath + [0, 0, drift * frame] + vibration * rng.standard_normal(places.shape)
        boxes[frame] = np.diag(box * breath)
    species = UNIT * len(cells) + [metal_species] * len(lithium)
    return Trajectory.from_arrays(species, frames, boxes, 1000.0 * spacing_ps, temperature_k=temperature_k)


def times_of_counts(rng, counts, times, shape, lower=True):
    """Return when each unit turns so that the converted ones of each interface follow counts, outermost layers first.

    counts : (n_interfaces, n_times), the upper interface last; with one interface only the upper one reacts
    """
    when = np.full(shape, np.inf)
    half = shape[2] // 2 if len(counts) == 2 else shape[2]
    for interface, each in enumerate(counts):
        at = np.repeat(times[1:], np.maximum(np.diff(np.maximum.accumulate(each)), 0))
        order = [
            (k, *ij)
            for k in range(half)
            for ij in rng.permutation([(i, j) for i in range(shape[0]) for j in range(shape[1])])
        ]
        for (k, i, j), t in zip(order, at, strict=False):
            is_lower = len(counts) == 2 and interface == 0
            when[i, j, k if is_lower else shape[2] - 1 - k] = t
    return when
