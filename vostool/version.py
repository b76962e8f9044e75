"""The version of vostool."""

__version__ = "0.1.0"
