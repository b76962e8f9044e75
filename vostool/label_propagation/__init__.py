"""Beyond the paper: identity in time. Soft masks are carried outwards from the annotated frames.

A classifier that looks at each pixel alone cannot know which of two alike things is which. Where an
object was a frame ago tells it. So each annotated frame's labels are carried from frame to frame,
both ways: by matching the stored features of neighbouring frames within a window (as label
propagation does; Jabri et al., "Space-Time Correspondence as a Contrastive Random Walk", NeurIPS
2020), corrected on the way by what the ridge classifier says of looks. All of it happens at stride
16, so that a frame costs milliseconds, and one far away can still be answered at once.
"""
