"""Allegro: strictly local equivariant potentials."""
