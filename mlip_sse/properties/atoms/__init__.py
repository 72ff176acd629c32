"""A property of each atom, learnt from its surroundings in a few frames, and its spectrum over thousands of them."""
