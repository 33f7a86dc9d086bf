"""The end-of-test summary as text, and the units that every text uses."""
