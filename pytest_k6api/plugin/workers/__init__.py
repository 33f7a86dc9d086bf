"""Workers of load tests: counted, started and ended by a session, and what a worker's own session does."""
