"""What ``benchmarks/fairness.py`` is made of: servers that know how long they took, and a load test."""
