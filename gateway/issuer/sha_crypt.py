"""SHA-crypt beside the event loop: in a process, because a thread would not be beside it.

The kept library for it (libpass) is Python code, which holds the GIL. Measured with 8 connections
of echo traffic on uvloop: 90,000 round trips/s (median 0.1 ms) fall to 1,900 (5 ms) while a thread
verifies one hash of 656,000 rounds, and stay at 88,000 while a process does. The process costs some
80 ms of start, once per user: the first login with the right password replaces the hash.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from gateway.policy.password_hashes import PasswordHashError

TIME_LIMIT_S: Final = 30.0  # the most rounds and the longest password take some 6 s
_CHILD: Final = Path(__file__).with_name("sha_crypt_child.py")


def verify_sha_crypt(password: str, text: str, *, time_limit_s: float = TIME_LIMIT_S) -> bool:
    """Whether *text* was made of *password*; blocks the thread, not the interpreter.

    Raises:
        PasswordHashError: It could not be computed: the library refuses the hash, the process did
            not start or did not end in time.
    """
    # -P: the child's own directory is not searched for modules. A session of its own: Ctrl-C at the
    # terminal ends the gateway, which lets a login that has begun come to its end.
    command = [sys.executable, "-P", str(_CHILD)]
    question = json.dumps({"password": password, "hash": text})
    try:
        child = subprocess.run(  # noqa: S603 (our own file; what comes from outside is in ``input``)
            command,
            input=question.encode("ascii"),
            capture_output=True,
            timeout=time_limit_s,
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        # Neither the cause nor its output goes on: a traceback may show locals.
        raise PasswordHashError("the SHA-crypt hash could not be computed") from None
    if child.stdout not in (b"right", b"wrong"):
        raise PasswordHashError("the SHA-crypt hash could not be computed")
    return child.stdout == b"right"
