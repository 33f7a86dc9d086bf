"""What ``benchmarks/compare.py`` is made of: a service, workloads, generators, measurements, a table."""
