"""How a model is trained: the step, the loop over batches and epochs, and the data."""
