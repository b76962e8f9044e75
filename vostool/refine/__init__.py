"""The last round: masks travel from the annotated frames to their neighbours (§3).

The ridge classifier looks at each pixel alone. A propagation network looks at shapes: at the frame
before, which the mask came from, and at the annotated frame, on which the user has drawn. After Wug
Oh et al., "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR 2018 (RGMP).
"""
