"""The same load test as test_from_locust.py, for Locust.

locust -f locustfile.py --host http://127.0.0.1:8000 --headless
"""

import random

from locust import HttpUser, LoadTestShape, between, constant_pacing, events, task


class Visitor(HttpUser):
    """Looks at products, three times as often as at the front page."""

    weight = 3
    wait_time = between(0.1, 0.3)

    @task(3)
    def product(self):
        self.client.get(f"/products/{random.randint(1, 5)}", name="/products/{id}")

    @task
    def front(self):
        with self.client.get("/", catch_response=True) as response:
            if "Welcome" not in response.text:
                response.failure("does not greet the visitor")


class Customer(HttpUser):
    """Logs in once, and buys at a steady pace."""

    weight = 1
    wait_time = constant_pacing(0.25)

    def on_start(self):
        user = {"user": f"customer-{id(self)}", "password": "let me in"}
        token = self.client.post("/login", json=user).json()["token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def on_stop(self):
        self.client.post("/logout")

    @task
    def buy(self):
        self.client.post("/cart", json={"product": 1})
        self.client.post("/checkout")


class Morning(LoadTestShape):
    """Up to eight users within a second, gone after two."""

    def tick(self):
        if self.get_run_time() > 2:
            return None
        return (8, 8) if self.get_run_time() > 1 else (4, 8)


@events.quitting.add_listener
def judge(environment, **_):
    total = environment.stats.total
    if total.fail_ratio > 0.01 or total.get_response_time_percentile(0.95) > 1000:
        environment.process_exit_code = 1
