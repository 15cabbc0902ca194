"""One file per protocol of endpoints, which evaluations ask for responses. A new one is a new file with an `ENGINE`; nothing lists them."""
