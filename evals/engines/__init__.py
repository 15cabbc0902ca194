"""Engines that answer the problems of an evaluation."""
