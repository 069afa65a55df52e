"""Walking through the steps of the demo: send, print, check."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx

from gateway.cli.demo_steps import Answer, Step, Told
from gateway.cli.output import print_heading, print_line, visible

_TELLING_HEADERS: Final = ("content-type", "www-authenticate", "allow", "location", "retry-after")
_VARIABLE: Final = re.compile(r"\$([A-Z_]+)")
_MAX_BODY_LINES: Final = 20  # three products and their brackets
_MAX_LINE_CHARS: Final = 100
_TIMEOUT_S: Final = 10.0  # the first login hashes a password; the rest is milliseconds


@dataclass(slots=True)
class Walk:
    """One walk over real HTTP, with the variables that it has kept on the way."""

    client: httpx.Client
    base_url: str
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, steps: Sequence[Step]) -> bool:
        """Take every step, also after one that failed; return whether all was as told."""
        taken = [self._take(number, step) for number, step in enumerate(steps, start=1)]
        return all(taken)

    def _take(self, number: int, step: Step) -> bool:
        print_heading(f"{number}. {step.title}")
        print_line(f"$ {curl_line(self.base_url, step)}", style="cyan")
        try:
            answer = self._send(step)
        except httpx.HTTPError as error:
            print_line(f"  failed: {error}", style="red")
            return False
        for line in describe_answer(answer, step.shows(answer)):
            print_line(f"  {line}")
        self._keep(step, answer)
        checked = [_check(told, answer) for told in (_status_told(step.status), *step.told)]
        return all(checked)

    def _send(self, step: Step) -> Answer:
        response = self.client.request(
            step.method,
            self.base_url + step.path,
            headers=[(name, self._fill(value)) for name, value in step.headers],
            json=None if step.json is None else json.loads(self._fill(json.dumps(step.json))),
            timeout=_TIMEOUT_S,
        )
        return Answer(response.status_code, dict(response.headers), _read_body(response))

    def _fill(self, text: str) -> str:
        return _VARIABLE.sub(lambda match: self.variables.get(match[1], ""), text)

    def _keep(self, step: Step, answer: Answer) -> None:
        for variable, member in step.keeps.items():
            value = answer.member(member)
            if isinstance(value, str):
                self.variables[variable] = value
                print_line(f"$ {variable}={shlex.quote(value)}", style="cyan")


def curl_line(base_url: str, step: Step) -> str:
    """Return a step as a command that a person can paste, variables and all."""
    words = ["curl", "-i"]
    if step.method != "GET" and step.json is None:
        words += ["-X", step.method]
    words.append(base_url + step.path)
    for name, value in step.headers:
        words += ["-H", _quote(f"{name}: {value}")]
    if step.json is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", _quote(json.dumps(step.json))]
    return " ".join(words)


def _quote(text: str) -> str:
    """Quote for a shell; a variable stays one."""
    if not _VARIABLE.search(text):
        return shlex.quote(text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def describe_answer(answer: Answer, shown: Any) -> list[str]:  # noqa: ANN401 (any JSON value)
    """Return an answer as lines: status, the headers that tell something, the body cut short."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {answer.status} {phrase}".rstrip()]
    lines += [f"{n}: {answer.headers[n]}" for n in _TELLING_HEADERS if n in answer.headers]
    body = shown if isinstance(shown, str) else json.dumps(shown, indent=2, ensure_ascii=False)
    body_lines = [] if shown is None else body.split("\n")
    lines += [_cut(line) for line in body_lines[:_MAX_BODY_LINES]]
    if len(body_lines) > _MAX_BODY_LINES:
        lines.append(f"... {len(body_lines) - _MAX_BODY_LINES} more lines")
    return lines


def _cut(line: str) -> str:
    line = visible(line)
    return line if len(line) <= _MAX_LINE_CHARS else line[: _MAX_LINE_CHARS - 3] + "..."


def _read_body(response: httpx.Response) -> Any:  # noqa: ANN401 (any JSON value)
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text


def _status_told(status: int) -> Told:
    return Told(f"the status is {status}", lambda answer: answer.status == status)


def _check(told: Told, answer: Answer) -> bool:
    holds = told.holds(answer)
    print_line(
        f"  {'as told' if holds else 'NOT AS TOLD'}: {told.text}", style="green" if holds else "red"
    )
    return holds
