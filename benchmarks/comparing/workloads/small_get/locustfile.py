"""A small GET; the check is the one that Locust has, the group is its name."""

from locust import FastHttpUser, task


class Visitor(FastHttpUser):
    """Asks for the homepage again and again."""

    @task
    def visit(self):
        """Visit the homepage."""
        with self.client.get("/", name="visit homepage", catch_response=True) as response:
            if response.status_code != 200:
                response.failure("status is not 200")
