"""One file per kind of stage: its settings, what it costs, how it runs."""
