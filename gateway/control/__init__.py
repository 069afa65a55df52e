"""The control plane: the endpoints that the gateway itself answers, as a Starlette app.

The data plane has decided before a request comes here (``policy.decide`` gave ``Serve``) and leaves
its findings in ``scope["state"]``: ``token``, the ``VerifiedToken`` or None, and ``request_id``. It
finds ``reason`` there afterwards, where an answer was a refusal, for its access log. Nothing here
verifies a token, and nothing that a client sent is ever quoted in an answer or a log.
"""
