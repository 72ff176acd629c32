"""Which composition to make next: fronts of several properties, Bayesian optimisation by ask and tell, transfer.

>>> from mlip_sse.properties.optimize.grid import CompositionGrid
>>> CompositionGrid(("Li2S", "P2S5"), n_steps=4).points[:2].tolist()
[[0.0, 1.0], [0.25, 0.75]]
"""
