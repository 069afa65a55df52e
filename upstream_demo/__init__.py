"""A small products service that has never heard of tokens: what the gateway stands in front of.

It must never import ``gateway``: all that it knows of callers is the request that it receives.
"""
