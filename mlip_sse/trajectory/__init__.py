"""Coordinates in time: reading, unwrapping, reference frames."""
