"""Reading what clients send, within bounds: query numbers and bodies."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request


def parse_number(request: Request, name: str, default: float, *, most: float) -> float:
    """Return a query parameter as a number from 0 to *most*.

    Raises:
        HTTPException: 400, it is something else.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= most:  # also refuses NaN
        raise HTTPException(400, f"{name} must be a number from 0 to {most:g}")
    return number


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Read a whole body, as long as it is no longer than *max_bytes*.

    Raises:
        HTTPException: 413; the rest is not read and the connection ends.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is longer than {max_bytes} bytes",
                headers={"Connection": "close"},
            )
    return bytes(body)
