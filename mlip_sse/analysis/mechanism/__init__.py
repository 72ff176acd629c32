"""Sites, jumps between them, and what ions do together."""
