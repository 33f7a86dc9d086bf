"""A response of 100 KB."""

from locust import FastHttpUser, task


class Visitor(FastHttpUser):
    """Asks for a large page again and again."""

    @task
    def visit(self):
        """Read a large page."""
        with self.client.get("/large", catch_response=True) as response:
            if len(response.content) != 102_400:
                response.failure("has not 100 KB")
