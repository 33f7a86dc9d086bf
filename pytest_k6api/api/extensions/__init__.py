"""The endpoints beyond k6: scenarios, failures, tests, events, Prometheus, OpenAPI, the page."""
