"""``/products``: a catalogue in memory, with the validation that such a service has."""

import json
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from upstream_demo.reading import read_body

MAX_PRODUCT_BYTES: Final = 64 * 1024  # of the JSON that describes one
MAX_NAME_CHARS: Final = 200
MAX_PRICE_CENTS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Product:
    """One thing that is sold."""

    id: int
    name: str
    price_cents: int


class Catalogue:
    """All products, by id; gone when the process ends."""

    def __init__(self) -> None:
        self._products: dict[int, Product] = {}

    @classmethod
    def with_examples(cls) -> "Catalogue":
        """Return a catalogue that is not empty."""
        catalogue = cls()
        for name, price_cents in (("Olive oil", 1250), ("Honey", 890), ("Mint tea", 420)):
            catalogue.add(name, price_cents)
        return catalogue

    def add(self, name: str, price_cents: int) -> Product:
        """Take in a product under the next free id."""
        product = Product(len(self._products) + 1, name, price_cents)
        self._products[product.id] = product
        return product

    def find(self, product_id: str) -> Product | None:
        """Return a product by its id as it stands in a path."""
        known = product_id.isascii() and product_id.isdecimal() and len(product_id) <= len("999999")
        return self._products.get(int(product_id)) if known else None

    def all(self) -> list[Product]:
        """Return every product, the oldest first."""
        return list(self._products.values())


class ProductEndpoints:
    """The HTTP side of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def list_all(self, _: Request) -> JSONResponse:
        """``GET /products``."""
        return JSONResponse({"products": [asdict(product) for product in self._catalogue.all()]})

    async def show(self, request: Request) -> JSONResponse:
        """``GET /products/{id}``."""
        product = self._catalogue.find(request.path_params["id"])
        if product is None:
            raise HTTPException(404, "there is no such product")
        return JSONResponse(asdict(product))

    async def create(self, request: Request) -> JSONResponse:
        """``POST /products`` with ``name`` and ``price_cents``."""
        body = await read_body(request, max_bytes=MAX_PRODUCT_BYTES)
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):
            raise HTTPException(400, "the body is not JSON") from None
        faults = find_faults(fields)
        if faults:
            return JSONResponse({"error": "not a product", "faults": faults}, UNPROCESSABLE)
        product = self._catalogue.add(fields["name"], fields["price_cents"])
        return JSONResponse(
            asdict(product), HTTPStatus.CREATED, headers={"Location": f"/products/{product.id}"}
        )


UNPROCESSABLE: Final = 422  # HTTPStatus renames it in Python 3.13


def find_faults(fields: object) -> dict[str, str]:
    """Return what keeps *fields* from being a product, by field name."""
    if not isinstance(fields, dict):
        return {"": "must be an object"}
    faults = {str(name): "is not known" for name in fields.keys() - {"name", "price_cents"}}
    name = fields.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= len(name) <= MAX_NAME_CHARS:
        faults["name"] = f"must be text of 1 to {MAX_NAME_CHARS} characters"
    price = fields.get("price_cents")
    if type(price) is not int or not 0 <= price <= MAX_PRICE_CENTS:  # True is an int, but no price
        faults["price_cents"] = f"must be a whole number from 0 to {MAX_PRICE_CENTS}"
    return faults
