"""A small GET, then a rest."""

import os

from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    """Asks for the homepage, and waits."""

    wait_time = constant(float(os.environ["SLEEP"]))

    @task
    def visit(self):
        """Visit the homepage."""
        with self.client.get("/", name="visit homepage", catch_response=True) as response:
            if response.status_code != 200:
                response.failure("status is not 200")
