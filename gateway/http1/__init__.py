"""What an HTTP/1 message is: heads, targets, field names, framing. Pure: bytes in, values out.

Every function here may assume that llhttp has accepted the head (``proxy.heads`` feeds it first):
no obs-fold, no bare CR or LF, no control bytes, field names are tokens, lines end in CRLF. What
llhttp leaves open is decided here. ``tests/conformance`` pins both halves, so that an upgrade of
the parser cannot loosen the first unseen.
"""
