"""Running load tests inside a pytest session."""
