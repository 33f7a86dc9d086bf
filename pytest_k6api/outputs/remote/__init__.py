"""Outputs that send what is measured over a network; each imported when it is asked for."""
