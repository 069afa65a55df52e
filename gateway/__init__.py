"""Gateway: an authentication gateway in front of HTTP services that know nothing of tokens.

To read it, begin with these four, in this order; they are what a request goes through:

1. ``policy/decide.py``: what happens to a request, as a pure function.
2. ``policy/model.py``: what the decision is made from and the three kinds that it has.
3. ``proxy/downstream.py``: one client connection, from bytes to decision.
4. ``proxy/exchange.py``: one request on its way to the service and back.

A module imports only from the floors below it; ``pyproject.toml`` draws them and a check holds
them.
"""
