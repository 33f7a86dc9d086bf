"""The data of the shop: products, sessions of customers, carts.

Pure: no clock, no socket. One store belongs to one running service.
"""

import itertools
from collections import Counter
from dataclasses import dataclass, field

PASSWORD = "let me in"
"""The password of every customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One thing to buy; `price` is in cents."""

    id: int
    name: str
    price: int


CATALOGUE = {
    product.id: product
    for product in (
        Product(id=1, name="Teapot", price=2450),
        Product(id=2, name="Cup", price=690),
        Product(id=3, name="Green tea, 100 g", price=850),
        Product(id=4, name="Black tea, 100 g", price=790),
        Product(id=5, name="Strainer", price=520),
    )
}


@dataclass(slots=True)
class Store:
    """The shop's memory.

    Attributes:
        carts: For each token of a customer that is logged in, the number of each
            product in the cart.
    """

    carts: dict[str, Counter[int]] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _orders: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def log_in(self, user: str, password: str) -> str | None:
        """Return a new token for `user`; None if the password is wrong."""
        if password != PASSWORD:
            return None
        token = f"{user}-{next(self._numbers)}"
        self.carts[token] = Counter()
        return token

    def log_out(self, token: str) -> None:
        """Forget the customer and the cart."""
        del self.carts[token]

    def total(self, token: str) -> int:
        """Return what the customer's cart costs, in cents."""
        return sum(CATALOGUE[product].price * n for product, n in self.carts[token].items())

    def check_out(self, token: str) -> int | None:
        """Empty the customer's cart and return the order's number; None if it was empty."""
        if not self.carts[token]:
            return None
        self.carts[token].clear()
        return next(self._orders)
