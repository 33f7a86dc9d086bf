"""Hooks for other plugins: their specification, their values, their calls."""
