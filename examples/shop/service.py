"""The shop over HTTP and WebSocket: every route, in the order in which a customer meets them.

Three pages misbehave on purpose: ``/slow`` takes its time, ``/flaky`` answers
every tenth request with 503, and ``/freezing`` stands still for a part of every second.
"""

import itertools
from dataclasses import asdict
from typing import Any

import trio
from quart import Response, abort, jsonify, redirect, request, websocket
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from examples.shop.assistant import add_assistant
from examples.shop.store import CATALOGUE, Product, Store

SLOWEST = 5.0
"""Seconds that ``/slow`` takes at most, whatever it is asked for."""

FREEZE = 0.3
"""Seconds of every second in which ``/freezing`` does not answer."""

Reply = dict[str, Any]  # JSON: its values are of any type


def create_app() -> QuartTrio:
    """Return a new shop without customers."""
    app = QuartTrio("examples.shop")
    store = Store()
    _add_catalogue(app)
    _add_customers(app, store)
    _add_cart(app, store)
    _add_chat(app, store)
    _add_misbehaviour(app)
    _add_mirror(app)
    add_assistant(app)
    app.register_error_handler(HTTPException, _refuse)
    return app


def _add_catalogue(app: QuartTrio) -> None:
    @app.get("/")
    async def home() -> Reply:
        return {"message": "Welcome to the tea shop", "products": len(CATALOGUE)}

    @app.get("/home")
    async def old_home() -> Any:  # Quart's own response or Werkzeug's
        return redirect("/")

    @app.get("/products")
    async def products() -> Response:
        return jsonify([asdict(product) for product in CATALOGUE.values()])

    @app.get("/products/<int:number>")
    async def product(number: int) -> Reply:
        return asdict(_product(number))


def _add_customers(app: QuartTrio, store: Store) -> None:
    @app.post("/login")
    async def login() -> Reply:
        body = await request.get_json()
        token = store.log_in(body["user"], body["password"])
        if token is None:
            abort(401)
        return {"token": token}

    @app.post("/logout")
    async def logout() -> Reply:
        store.log_out(_token(store))
        return {"message": "Goodbye"}

    @app.get("/me")
    async def me() -> Reply:
        return {"user": _token(store).rsplit("-", 1)[0]}


def _add_cart(app: QuartTrio, store: Store) -> None:
    @app.get("/cart")
    async def cart() -> Reply:
        token = _token(store)
        items = [
            {"product": asdict(CATALOGUE[number]), "quantity": quantity}
            for number, quantity in store.carts[token].items()
        ]
        return {"items": items, "total": store.total(token)}

    @app.post("/cart")
    async def add_to_cart() -> tuple[Reply, int]:
        token = _token(store)
        body = await request.get_json()
        store.carts[token][_product(body["product"]).id] += body.get("quantity", 1)
        return {"total": store.total(token)}, 201

    @app.post("/checkout")
    async def checkout() -> tuple[Reply, int]:
        token = _token(store)
        total = store.total(token)
        order = store.check_out(token)
        if order is None:
            abort(409)
        # An order waits its turn; the reply says how long, as real queues do.
        queued = 0.002 * (order % 5)
        await trio.sleep(queued)
        return {"order": order, "total": total, "queued_ms": queued * 1000}, 201


def _add_chat(app: QuartTrio, store: Store) -> None:
    @app.websocket("/chat")
    async def chat() -> None:
        token = websocket.args.get("token", "")
        if token not in store.carts:
            abort(401)
        user = token.rsplit("-", 1)[0]
        await websocket.accept(subprotocol="chat.v1")
        await websocket.send_json({"type": "welcome", "user": user})
        while True:
            message = await websocket.receive_json()
            if message["type"] == "bye":
                return  # closes with 1000
            await websocket.send_json({"type": "typing"})
            answer = f"We are looking after your {message['text']}, {user}"
            await websocket.send_json({"type": "answer", "id": message["id"], "text": answer})


def _add_misbehaviour(app: QuartTrio) -> None:
    visits = itertools.count(1)

    @app.get("/slow")
    async def slow() -> Reply:
        seconds = min(request.args.get("seconds", 0.3, type=float), SLOWEST)
        await trio.sleep(seconds)
        return {"slept": seconds}

    @app.get("/flaky")
    async def flaky() -> Reply:
        visit = next(visits)
        if visit % 10 == 0:
            abort(503)
        return {"visit": visit}

    @app.get("/freezing")
    async def freezing() -> Reply:
        await trio.sleep(max(0.005, FREEZE - trio.current_time() % 1))
        return {"message": "Sorry, I was busy"}


def _add_mirror(app: QuartTrio) -> None:
    @app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def echo() -> Reply:
        files = await request.files
        return {
            "method": request.method,
            "query": request.args.to_dict(),
            "headers": dict(request.headers.items()),
            "cookies": dict(request.cookies),
            "form": (await request.form).to_dict(),
            "files": {name: file.filename for name, file in files.items()},
            "json": await request.get_json(silent=True),
        }


async def _refuse(error: HTTPException) -> tuple[Reply, int]:
    return {"error": error.name}, error.code or 500


def _product(number: int) -> Product:
    if number not in CATALOGUE:
        abort(404)
    return CATALOGUE[number]


def _token(store: Store) -> str:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token not in store.carts:
        abort(401)
    return token
