"""A load test beside its baseline: rules, noise, and the comparison itself."""
