"""A user's own functions and classes: found without being imported, copied, and run in processes that may be killed."""
