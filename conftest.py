"""Make pytest's own fixture for testing plugins available to all tests."""

pytest_plugins = ["pytester"]
