"""Stages of many clips as jobs, on this machine or by Slurm, and what has become of them.

What is to be done is computed from what is stored, never from what a scheduler remembers: a clip
whose stamps are right is done, whoever did it. Importing this room imports no torch and no
submitit.
"""
