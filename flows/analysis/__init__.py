"""Commands that read responses and scores: SQL, reports, evaluations, comparisons."""
