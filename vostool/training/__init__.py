"""Training: the losses, the data, synthetic motion, simulated rounds, and a recipe a network."""
