"""The stages as plain functions, a file each: what :class:`vostool.Session` and the commands call.

torch is imported where a network runs, so that fitting the classifier starts fast.
"""
