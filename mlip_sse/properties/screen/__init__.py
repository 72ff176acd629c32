"""A structure family enumerated, and sent through a funnel of filters and models that says why each candidate fell.

>>> from mlip_sse.properties.screen.tolerance import garnet_tolerance
>>> round(garnet_tolerance(1.019, 0.535, 0.39), 3)  # Y3Al5O12, radii of Shannon
0.893
"""
