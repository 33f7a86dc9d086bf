"""Failures inside virtual users: recorded, grouped, and traced to the user's code."""
