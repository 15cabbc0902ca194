"""Published sets of problems: a module for each family of them, with `BENCHMARKS`, which any other module need not know (`registry`)."""
