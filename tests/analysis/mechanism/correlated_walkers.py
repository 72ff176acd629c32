"""Ions whose concerted motion is known: strings of n, whole rows, and none at all.

All live on a simple cubic lattice of spacing ``SPACING`` and come as hops between its sites; `positions_of` turns them
into coordinates with vibration.
"""

from dataclasses import dataclass

import numpy as np

from mlip_sse.analysis.mechanism.hop_events import HopEvents, events_of_jumps
from mlip_sse.analysis.mechanism.jumps import Jumps

SPACING = 3.0
DIRECTIONS = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])


@dataclass(frozen=True)
class Hops:
    """Hops in time order: ``moves`` (n, 3) and first ``homes`` (n_ions, 3) in sites, ``strings`` (n,) labels."""

    shape: tuple[int, int, int]
    n_frames: int
    frames: np.ndarray
    ions: np.ndarray
    moves: np.ndarray
    homes: np.ndarray
    strings: np.ndarray

    @property
    def cell(self):
        return SPACING * np.diag(np.array(self.shape, dtype=float))

    @property
    def sites(self):
        grid = np.stack(np.unravel_index(np.arange(int(np.prod(self.shape))), self.shape), axis=1)
        return grid / np.array(self.shape)

    def jumps(self):
        """Return the hops as `Jumps`."""
        here = self.homes.copy()
        start, stop = np.empty(len(self.frames), np.int64), np.empty(len(self.frames), np.int64)
        for k, (ion, move) in enumerate(zip(self.ions, self.moves, strict=True)):
            start[k] = np.ravel_multi_index(tuple(here[ion] % self.shape), self.shape)
            here[ion] += move
            stop[k] = np.ravel_multi_index(tuple(here[ion] % self.shape), self.shape)
        return Jumps(self.frames, self.ions, start, stop)

    def events(self, frame_spacing_fs=100.0):
        """Return the hops as `HopEvents`."""
        return events_of_jumps(self.jumps(), self.sites, self.cell, len(self.homes), self.n_frames, frame_spacing_fs)

    def positions(self, rng, vibration=0.25):
        """Return unwrapped coordinates (n_frames, n_ions, 3) in Å: the sites and white noise, ``vibration`` an axis."""
        steps = np.zeros((self.n_frames, len(self.homes), 3))
        np.add.at(steps, (self.frames, self.ions), self.moves)
        sites = self.homes + np.cumsum(steps, axis=0)
        return SPACING * sites + vibration * rng.standard_normal(sites.shape)


def independent_hops(rng, edge, n_ions, n_frames, n_hops):
    """Let ions hop at random times in random directions, whatever the others do: nothing is concerted."""
    frames = np.sort(rng.integers(0, n_frames, n_hops))
    ions = rng.integers(0, n_ions, n_hops)
    moves = DIRECTIONS[rng.integers(0, 6, n_hops)]
    return Hops((edge,) * 3, n_frames, frames, ions, moves, rng.integers(0, edge, (n_ions, 3)), np.arange(n_hops))


def vacancy_strings(rng, edge, n_vacancies, n_frames, n_strings, chances, jitter=0):
    """Let strings of n ions in a row step on by one site into a vacancy; ``chances[n - 1]`` is the chance of n.

    No site ever holds two ions. The ions of a string hop in the same frame, or one after the other by up to ``jitter``
    frames each, from the vacancy on.
    """
    n_sites = edge**3
    sites = rng.permutation(n_sites)
    ion_at = np.full((edge,) * 3, -1)
    homes = np.stack(np.unravel_index(sites[n_vacancies:], (edge,) * 3), axis=1)
    ion_at[tuple(homes.T)] = np.arange(len(homes))
    vacancies = np.stack(np.unravel_index(sites[:n_vacancies], (edge,) * 3), axis=1)
    frames, ions, moves, labels = [], [], [], []
    for string, frame in enumerate(np.sort(rng.integers(0, n_frames - 5 * (jitter + 1), n_strings))):
        n = 1 + int(rng.choice(len(chances), p=chances))
        v, move = int(rng.integers(n_vacancies)), DIRECTIONS[rng.integers(6)]
        behind = [tuple((vacancies[v] - (k + 1) * move) % edge) for k in range(n)]
        members = [int(ion_at[site]) for site in behind]
        if min(members) < 0:
            continue
        delay = 0
        for site, ion in zip(behind, members, strict=True):
            ion_at[tuple((np.array(site) + move) % edge)] = ion
            frames.append(int(frame) + delay)
            ions.append(ion)
            moves.append(move)
            labels.append(string)
            delay += int(rng.integers(jitter + 1))
        ion_at[behind[-1]] = -1
        vacancies[v] = behind[-1]
    order = np.argsort(frames, kind="stable")
    columns = (np.array(column)[order] for column in (frames, ions, moves, labels))
    frames, ions, moves, labels = columns
    return Hops((edge,) * 3, n_frames, frames, ions, moves, homes, labels)


def row_shifts(rng, shape, n_frames, n_shifts, axis=0):
    """Shift whole periodic rows of a full lattice by one site: strings of ``shape[axis]`` ions, Haven ratio 1/n."""
    grid = np.stack(np.unravel_index(np.arange(int(np.prod(shape))), shape), axis=1)
    others = [k for k in range(3) if k != axis]
    rows = grid[:, others[0]] * shape[others[1]] + grid[:, others[1]]
    n = shape[axis]
    frames = np.repeat(np.sort(rng.integers(0, n_frames, n_shifts)), n)
    chosen = rng.integers(0, rows.max() + 1, n_shifts)
    ions = np.concatenate([np.flatnonzero(rows == row) for row in chosen])
    moves = np.zeros((n_shifts * n, 3), dtype=np.int64)
    moves[:, axis] = np.repeat(2 * rng.integers(0, 2, n_shifts) - 1, n)
    return Hops(tuple(shape), n_frames, frames, ions, moves, grid, np.repeat(np.arange(n_shifts), n))


def pairs_among_singles(rng, edge, n_ions, n_frames, n_pairs, n_singles):
    """Return hops of which a known share goes in pairs, one ion into the place of the other, among hops at random.

    Places are drawn anew for every hop, so that nothing else ties hops together.
    """
    n = n_pairs + n_singles
    frames, places = rng.integers(0, n_frames, n), rng.integers(0, edge, (n, 3))
    moves, ions = DIRECTIONS[rng.integers(0, 6, n)], rng.integers(0, n_ions, n)
    followers = (ions[:n_pairs] + rng.integers(1, n_ions, n_pairs)) % n_ions
    frames, ions = np.append(frames, frames[:n_pairs]), np.append(ions, followers)
    starts = np.concatenate([places, places[:n_pairs] - moves[:n_pairs]])
    stops = np.concatenate([places + moves, places[:n_pairs]])
    cell = SPACING * edge * np.eye(3)
    return HopEvents(frames, ions, starts / edge, stops / edge, cell, n_ions, n_frames, 100.0)
