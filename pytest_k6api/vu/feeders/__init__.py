"""Test data for virtual users: feeders, and the files they read."""
