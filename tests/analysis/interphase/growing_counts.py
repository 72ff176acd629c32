"""Counts of converted units at interfaces that grow by known laws, with several kinds of noise."""

import numpy as np


def births(rng, law, rate, c, n_interfaces, times, together=1, start=0):
    """Return (n_interfaces, n_times) counts: conversions come one by one, `together` at a time, at the rate of the law.

    parabolic: dl/dt = k/l with l = (N + half a conversion)/c; linear: dl/dt = k.
    """
    counts = np.zeros((n_interfaces, len(times)), dtype=np.int64)
    for i in range(n_interfaces):
        n, t, events = start, times[0], []
        while True:
            frequency = c * rate * (c / (n + 0.5 * together) if law == "parabolic" else 1.0) / together
            t += rng.exponential(1.0 / frequency)
            if t > times[-1]:
                break
            n += together
            events.append(t)
        counts[i] = start + together * np.searchsorted(np.array(events), times, side="right")
    return counts


def front(rng, law, rate, c, n_interfaces, times, roughness, layer=5.0):
    """Return counts of the units of layers that a smooth front converts, scattered within part of their layer."""
    length = np.sqrt(2 * rate * (times - times[0])) if law == "parabolic" else rate * (times - times[0])
    counts = []
    for _ in range(n_interfaces):
        middles = np.repeat(layer * (0.5 + np.arange(int(length[-1] / layer) + 2)), round(c * layer))
        depths = middles + roughness * layer * rng.uniform(-0.5, 0.5, len(middles))
        counts.append(np.searchsorted(np.sort(depths), length))
    return np.array(counts)


def flicker(rng, counts, share):
    """Return counts with conversions that are undone at some looks."""
    return counts - rng.binomial(np.maximum(counts, 0), share)
