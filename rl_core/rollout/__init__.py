"""Engines that write responses, and the rows in which responses are kept."""
