"""The end-of-test summary as text, and the units and characters of all texts."""
