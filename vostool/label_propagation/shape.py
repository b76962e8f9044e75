"""What the network that carries labels is made of, whatever runs it."""

from __future__ import annotations

RADIUS = 3
"""How far a vertex looks for its like, to each side, in vertices."""
BEST = 5
"""How many of those that it finds are believed."""
NOWHERE = -1e4
"""The likeness of what lies outside the frame."""
DESCRIPTOR = 64
"""Channels by which vertices are matched."""
WIDTH = 32
"""Channels of what corrects."""
EVIDENCE = 7
"""What is known of an object at a vertex: label and score, each against the best other one; the
share of its label, and of all objects' together; the best score of any object; how well the vertex
was matched; and how much of the object is to be seen. Of alike objects the scores tell where they
are, and not which is which; of those, one that was hidden is the likeliest to come into sight."""
FEATURE_GAIN = 4.0
"""Features are of unit length per stage, so each is small; this brings them to about one."""
COLDEST = 0.01
"""The least temperature that a likeness is divided by."""
EPSILON = 1e-12
"""The least length that a descriptor is divided by."""
