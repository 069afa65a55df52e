"""The decision: who may do what, and what the service is told of it.

Pure: no I/O, no clock, no randomness, no logging, no framework. The time, the peer's address and
the request id come in as arguments; what comes out is ``Forward``, ``Serve`` or ``Respond``.
"""
