"""Shipped recipes that `--profile smoke` refuses: they run a program of which nobody has said how to make its run small."""

WITHOUT = {"verl_logic_rl"}
