"""Where atoms are, and what surrounds them: pairs, scattering, density, polyanions, order, distortions.

Nothing is imported here: recipes are read by commands that need no kernel.
"""
