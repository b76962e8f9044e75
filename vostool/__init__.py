"""vostool: interactive video object segmentation from the shell, with a cached feature store."""

__version__ = "0.1.0"
