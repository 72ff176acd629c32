"""How GPAW is compiled for the tests: one process, its own functionals, SciPy's BLAS; GPAW reads it by GPAW_CONFIG."""

mpi = False
compiler = "g++"
noblas = True
nolibxc = True
