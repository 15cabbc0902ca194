"""Advantages, losses, schedules: pure functions of tensors and numbers."""
