"""A connection for every request."""

from locust import FastHttpUser, task

HEADERS = {"Connection": "close"}


class Visitor(FastHttpUser):
    """Asks for the homepage again and again, each time as a stranger."""

    @task
    def visit(self):
        """Visit the homepage."""
        with self.client.get("/", headers=HEADERS, catch_response=True) as response:
            if response.status_code != 200:
                response.failure("status is not 200")
