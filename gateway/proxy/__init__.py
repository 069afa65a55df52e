"""The data plane: connections on both sides, and what moves between them.

A request's way: ``downstream`` (bytes to head, decision) → ``exchange`` (lease, relay) →
``upstream`` (the service's answer) → back. ``bridge`` leads to the gateway's own endpoints instead.
"""
