"""Settings: command line, ini file, environment, from one table."""
