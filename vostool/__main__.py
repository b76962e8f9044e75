"""``python -m vostool`` is ``vostool``."""

from vostool.cli import run

run()
