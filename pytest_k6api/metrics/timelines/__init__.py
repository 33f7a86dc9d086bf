"""Time series by the second: of a few metrics, and of the whole load test for its charts."""
