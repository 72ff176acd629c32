"""One module a file format, and what they share: each opens a file as a `FrameSource`, as it was stored."""
