"""Options of scenarios and load tests: declared, read, resolved, fitted."""
