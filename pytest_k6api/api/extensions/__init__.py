"""The endpoints beyond k6: scenarios, failures, tests, events, Prometheus, OpenAPI, the page.

A new one is a decorated function in ``endpoints.py``, listed in `EXTENSIONS` there; its
documents are Structs in ``api/documents.py``. Routing, description and index follow.
"""
