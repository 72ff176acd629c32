"""Plots and tables of transport results."""
