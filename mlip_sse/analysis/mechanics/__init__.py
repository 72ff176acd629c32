"""Stiffness, expansion, and what they mean for lithium metal against an electrolyte."""
