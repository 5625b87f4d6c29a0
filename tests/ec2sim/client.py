# SPDX-License-Identifier: Apache-2.0
"""A client of the control interface, for tests, demo and benchmarks."""

import http.client
import json
import socket


class ControlError(Exception):
    """The simulator refused; its reason is the text."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("ec2sim", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ControlClient:
    """Each call is one connection, so that several threads may share a client."""

    def __init__(self, path: str):
        self.path = path

    def request(self, method: str, path: str, body=None, timeout: float = 30.0):
        """One request; returns the decoded reply or raises ControlError."""
        connection = _UnixConnection(self.path, timeout)
        try:
            data = None if body is None and method == "GET" else json.dumps(body).encode()
            connection.request(method, path, data, {"Connection": "close"})
            reply = connection.getresponse()
            result = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status != 200:
            raise ControlError(result.get("error", str(reply.status)))
        return result

    def get(self, path: str, timeout: float = 30.0):
        return self.request("GET", path, timeout=timeout)

    def put(self, path: str, body=None):
        return self.request("PUT", path, body)

    def post(self, path: str, body=None):
        return self.request("POST", path, {} if body is None else body)

    def delete(self, path: str):
        return self.request("DELETE", path, {})

    # -- the ones every test needs -----------------------------------------

    def state(self) -> dict:
        return self.get("/state")

    def enis(self, instance: str = "") -> list:
        """ENIs, of one instance or all, by device index."""
        enis = [eni for eni in self.state()["enis"].values() if not instance or
                (eni["attachment"] and eni["attachment"]["instance_id"] == instance)]
        return sorted(enis, key=lambda e: (e["attachment"] or {}).get("device_index", -1))

    def calls(self, action: str = "", mutating: bool = False) -> list:
        return [call for call in self.get("/calls") if (not action or call["action"] == action)
                and (not mutating or call["mutating"])]

    def events(self) -> list:
        return self.get("/events")

    def imds_log(self) -> list:
        return self.get("/imds")

    def clear(self) -> None:
        self.delete("/calls")

    def latency(self, table: dict) -> None:
        self.put("/latency", table)

    def faults(self, *rules: dict) -> None:
        self.put("/faults", list(rules))

    def deny(self, *actions: str, role: str = "multus-node") -> None:
        self.put("/denied", {"role": role, "actions": list(actions)})

    def policy(self, document, role: str = "multus-node") -> None:
        """All that the role may do from now on; None: everything."""
        self.put("/policy", {"role": role, "document": document})

    def plug(self, **settings) -> None:
        self.put("/plug", settings)

    def gate(self, action: str, k: int = 1, when: str = "before") -> None:
        """Hold the k-th call of @action from now on."""
        self.put("/gate", {"action": action, "k": k, "when": when})

    def gate_reached(self, timeout: float = 30.0) -> dict:
        """Wait until a call is held there; TimeoutError if none comes."""
        return self.get("/gate", timeout)

    def gate_waiting(self) -> http.client.HTTPConnection:
        """A connection whose socket is readable as soon as a call is held; to be closed."""
        connection = _UnixConnection(self.path, None)
        connection.request("GET", "/gate")
        return connection

    def gate_release(self, do: str = "continue") -> bool:
        return self.post("/gate/release", {"do": do})["released"]

    def gate_off(self) -> None:
        self.put("/gate", {})
