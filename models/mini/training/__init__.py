"""Training of the mini model: one module for each stage, and what they share."""
