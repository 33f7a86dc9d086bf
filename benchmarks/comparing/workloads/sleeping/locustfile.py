"""A small GET, then a rest."""

import os
import random

import gevent
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    """Asks for the homepage, and waits."""

    wait_time = constant(float(os.environ["SLEEP"]))

    def on_start(self):
        """Come at any time of the first seconds."""
        gevent.sleep(float(os.environ["SPREAD"]) * random.random())

    @task
    def visit(self):
        """Visit the homepage."""
        with self.client.get("/", name="visit homepage", catch_response=True) as response:
            if response.status_code != 200:
                response.failure("status is not 200")
