"""A step of reinforcement learning: its scored responses, and what is kept of them."""
