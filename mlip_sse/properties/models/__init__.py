"""The methods: one module a family, each a frozen dataclass of settings whose `fit` returns a storable dataclass."""
