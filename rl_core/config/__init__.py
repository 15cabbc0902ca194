"""Typed settings of training, by subject; every default of a recipe lives here, in rl_core/environments and in evals/config.py.

Importable without torch, Ray or transformers, so that a plan or `--help` stays light.
"""
