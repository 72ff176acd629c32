"""Property models: what simulation and experiment measured on some materials predicts the next one.

>>> from mlip_sse.properties.table_files import read_table
>>> table = read_table("conductivities.csv")  # doctest: +SKIP
"""
