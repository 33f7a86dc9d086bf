"""Sinks: where the samples of one time series add up, one for each kind of metric."""
