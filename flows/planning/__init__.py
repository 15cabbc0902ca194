"""Before a run: which stages run and why, what they cost, what they need."""
