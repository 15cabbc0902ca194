"""Whether a response answers its problem: one module for each way of comparing an answer with a gold answer."""
