"""Displacements of ions: moments over lags, where diffusion begins, slopes and their errors, diffusivities."""
