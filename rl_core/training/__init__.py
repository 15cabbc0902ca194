"""The training side: log-probs, batches, the torch backend, checkpoints."""
