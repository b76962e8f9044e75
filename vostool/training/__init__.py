"""Training: the loss of Eq. 4, the data it is taken on, synthetic motion, the two steps."""
