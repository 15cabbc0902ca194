"""Whether an answer means the same as the gold answer, whatever form it is written in."""
