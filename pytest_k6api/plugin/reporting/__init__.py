"""Load tests in pytest's reports: failure texts, terminal, JUnit, step summary."""
