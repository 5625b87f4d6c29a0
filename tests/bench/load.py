# SPDX-License-Identifier: Apache-2.0
"""Requests to daemons by the load generator (tests/tools/http-load.c), and the least server there is.

The generator is a program in C, since the fastest of Python's clients is slower than
the server. It runs on the same cores as the daemon; its CPU time is told.
"""

import json
import os
import subprocess
import tempfile

from harness import BUILD

_TOOLS = os.path.join(BUILD, "tests", "tools")


class Refused(AssertionError):
    """Something was not answered with 200."""


def ask(sockets, lines: list, n_connections: int = 0, rounds: int = 1, rate: int = 0) -> dict:
    """
    Send requests, "METHOD TARGET BODY" each, and wait for all answers, which must be 200.
    @sockets: path, or paths, among which connections and lines are dealt out in runs
    @n_connections: 0: as many as lines
    @rounds: how many times each line is sent
    @rate: requests a second; 0: as fast as they are answered
    Return: seconds, cpu (of the generator); median, p99, worst in microseconds
    """
    paths = [sockets] if isinstance(sockets, str) else sockets
    numbers = [n_connections or len(lines), rounds, rate]
    process = subprocess.run(
        [os.path.join(_TOOLS, "http-load"), *map(str, numbers), *paths], input="\n".join(lines),
        text=True, stdout=subprocess.PIPE, check=True)
    result = json.loads(process.stdout)
    if set(result["statuses"]) != {"200"}:
        raise Refused(f"answered with {result['statuses']}")
    return result


def put(address: str, owner: str | None = None) -> str:
    """The line of a registration."""
    return f'PUT /v1/addresses/{address} {{"owner": "{owner or "pod-" + address}"}}'


def delete(address: str, owner: str | None = None) -> str:
    return f"DELETE /v1/addresses/{address}?owner={owner or 'pod-' + address}"


class NullServer:
    """A server on libmicrohttpd that answers @n_body bytes whatever it is asked. A context manager."""

    def __init__(self, n_body: int):
        self._directory = tempfile.TemporaryDirectory(prefix="multus-eks-bench-")
        self.socket_path = os.path.join(self._directory.name, "null.sock")
        self._argv = [os.path.join(_TOOLS, "http-null"), self.socket_path, str(n_body)]
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *_exception) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._directory.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid
