"""Programs of others as stages: their commands, the process that carries them out, and what is taken of what they leave."""
