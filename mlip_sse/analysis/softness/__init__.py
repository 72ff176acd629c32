"""Softness: which surroundings make an ion hop, learned from the hops of a trajectory."""
