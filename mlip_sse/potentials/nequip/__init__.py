"""NequIP: message-passing equivariant potentials."""
