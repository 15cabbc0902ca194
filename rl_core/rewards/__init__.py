"""Verifiers, reward components and the pool of killable scoring workers."""
