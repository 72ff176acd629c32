"""Ionic transport: displacement statistics, diffusion, conductivity, Haven ratio, Arrhenius."""
