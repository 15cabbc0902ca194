"""Processes that sample and train: in this process, or Ray actors on one or several machines."""
