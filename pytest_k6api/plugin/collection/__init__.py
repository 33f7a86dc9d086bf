"""From marked functions and classes to checked plans."""
