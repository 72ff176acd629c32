"""Charge transport: conductivity, Haven ratio, spectra, Green-Kubo, Onsager matrix, clusters."""
