"""§2.2: the spatio-temporal RNN, its readable reference, its fast sweep, and the clip-long run."""
