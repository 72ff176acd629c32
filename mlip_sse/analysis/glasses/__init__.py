"""Whether what came out of a quench is a glass, and what several of them say together.

Nothing is imported here: recipes are read by commands that need no kernel.
"""
