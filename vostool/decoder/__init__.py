"""Beyond the paper: from the ridge classifier's scores to masks with edges.

A linear classifier looks at each pixel alone, on features whose finest stride is 4 and whose best
are at 32. The decoder is a small network, trained once for all objects, that reads the scores with
the features beside them: what the scores mean is up to the user's strokes, where an object ends is
up to the picture. So did Robinson et al., "Learning Fast and Robust Target Models for Video Object
Segmentation", CVPR 2020, with a target model that takes seconds to fit where ours is solved.
"""

WEIGHTS = "decoder"
"""The name of its shipped weights, for the default network's features. Those for another's go by
``decoder-NETWORK``, and each file tells whose features it reads."""
