"""After runs: lineage, references, promotion, archives, garbage collection."""
