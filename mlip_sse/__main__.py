"""``python -m mlip_sse`` is ``mlip-sse``."""

from mlip_sse.cli.main import run

run()
