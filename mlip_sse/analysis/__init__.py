"""Analyzers: pure functions on arrays, one object an analysis, results that carry their interval and their verdict."""
