"""Thresholds: their grammar, the window they look at, and their evaluation."""
