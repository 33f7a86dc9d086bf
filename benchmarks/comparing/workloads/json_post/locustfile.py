"""A POST of 1 KB of JSON; the JSON that comes back is read."""

from locust import FastHttpUser, task

ITEM = {"name": "x" * 40, "quantity": 3, "price": 12.5, "tags": ["a", "b"]}
ORDER = {"items": [ITEM] * 10}


class Customer(FastHttpUser):
    """Orders again and again."""

    @task
    def order(self):
        """Order ten things."""
        with self.client.post("/json", json=ORDER, catch_response=True) as response:
            if len(response.json()["items"]) != 20:
                response.failure("has not 20 items")
