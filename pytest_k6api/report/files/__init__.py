"""Files of results: saved results, k6's summary export, Markdown."""
