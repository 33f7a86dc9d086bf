"""The report of a session: what it shows of a load test, and its files of HTML and JSON."""
