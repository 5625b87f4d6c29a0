# SPDX-License-Identifier: Apache-2.0
"""A node that registers addresses: its daemon, its peers, and what EC2 says of it.

    with Registering(fleet, stale_grace="1s") as node:
        assert node.put("10.0.10.200").status == 200
        held = node.begin("PUT", "10.0.10.201", "pod-b")     # sent, not answered
        ...
        assert held.reply().status == 200

Waiting is for conditions that must come, each with an end: a call held at the
simulator's gate, an entry of the call log, an entry of the daemon's list.
"""

import http.client
import json
import os
import socket
import subprocess
import time
import uuid
from typing import NamedTuple
from urllib.parse import quote

from ec2sim.scenario import default_scenario
from harness import EKSCTL, PATIENCE, SUBNETS

ETH1 = f"[network]\nsubnets = {SUBNETS[0]}\nsecurity_groups = sg-0000000000000a115\n"
ASSIGN, UNASSIGN = "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"
ASSIGN6, UNASSIGN6 = "AssignIpv6Addresses", "UnassignIpv6Addresses"


def scenario() -> dict:
    """The sample region without nodes, with an instance type that holds many addresses."""
    world = default_scenario()
    world["instances"] = []
    world["instance_types"] = [{"name": "x9.wide", "vcpus": 16, "memory_mib": 65536, "max_enis": 15,
                                "ipv4_per_eni": 100, "ipv6_per_eni": 100, "performance": "much"}]
    return world


def until(condition, what="it"):
    """The first true value of @condition(), which must come."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come")


def with_registration(config, **settings) -> str:
    """The configuration with keys of [registration], where nothing is watched unless it says so."""
    lines = [f"{key} = {value}\n" for key, value in {"watch": "no", **settings}.items()]
    return f"{config}[registration]\n{''.join(lines)}"


class Reply(NamedTuple):
    status: int
    body: dict
    headers: dict

    @property
    def code(self) -> str:
        """The error's one word."""
        return self.body["error"]["code"]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Pending:
    """A request that was sent."""

    def __init__(self, path, method, target, body=None):
        self._connection = _Connection(path)
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        try:
            self._connection.request(method, target, data)
        except BrokenPipeError:
            pass  # a refusal need not wait for the body; it is there to be read

    def fileno(self) -> int:
        """For select()."""
        return self._connection.sock.fileno()

    def reply(self, timeout=PATIENCE) -> Reply:
        """Wait for the answer."""
        self._connection.sock.settimeout(timeout)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        self._connection.close()
        is_json = answer.headers["Content-Type"].startswith("application/json")
        return Reply(answer.status, json.loads(text) if is_json else text, dict(answer.headers))

    def hang_up(self) -> None:
        """Go away without waiting."""
        self._connection.close()

    def cut_off(self) -> None:
        """See the daemon's end of the connection, without an answer."""
        try:
            answer = self._connection.getresponse()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            return
        raise AssertionError(f"was answered with {answer.status}: {answer.read()}")


class Registering:
    """
    A node of the fleet and its daemon, READY.
    @config: networks; @registration: keys of [registration]; @launch: keys of the instance
    """

    def __init__(self, fleet, config=ETH1, launch=None, **registration):
        self.fleet, self.control = fleet, fleet.control
        self.node = fleet.launch(**(launch or {"type": "x9.wide"}))
        self.config = with_registration(config, **registration)
        self.daemon = fleet.daemon(self.node, self.config)
        self.store = f"{self.daemon.directory}/state/addresses.json"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, exception=None, *_more) -> None:
        """SIGTERM, which a daemon that still runs must obey without a complaint of the sanitizers."""
        status = self.daemon.stop()
        self.control.gate_off()
        self.control.faults()
        self.control.deny()
        self.control.latency({})
        self.fleet.retire(self.node)
        assert exception or status in (None, 0), self.daemon.tail()

    def start(self) -> None:
        """Until READY; the call log begins there."""
        self.daemon.start()
        self.daemon.wait_ready()

    def restart(self) -> None:
        """SIGKILL, and READY again."""
        self.daemon.kill()
        self.start()

    def reboot(self) -> None:
        """The host's end, at once, and its return: new devices, an empty /run, another boot id."""
        self.daemon.kill()
        self.node = self.fleet.region.reboot(self.node.instance_id)
        self.daemon.move(self.node)
        path = os.path.join(self.daemon.directory, "boot_id")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
        self.node.run(["mount", "--bind", path, "/proc/sys/kernel/random/boot_id"], check=True)

    def age(self, seconds) -> None:
        """What is on disk was written so long before."""
        with open(self.store, encoding="utf-8") as file:
            memory = json.load(file)
        for entry in memory["addresses"]:
            entry["since"] -= seconds * 1_000_000
        with open(self.store, "w", encoding="utf-8") as file:
            json.dump(memory, file)

    # -- asking ------------------------------------------------------------

    def send(self, method, target, body=None) -> Pending:
        return Pending(self.daemon.socket_path, method, target, body)

    def begin(self, method, address, owner="pod", interface=None) -> Pending:
        """Send a PUT or DELETE of an address."""
        target = f"/v1/addresses/{address}"
        if method == "DELETE":
            return self.send(method, f"{target}?owner={quote(owner)}")
        body = {"owner": owner}
        if interface:
            body["interface"] = interface
        return self.send(method, target, body)

    def put(self, address, owner="pod", interface=None) -> Reply:
        return self.begin("PUT", address, owner, interface).reply()

    def delete(self, address, owner="pod") -> Reply:
        return self.begin("DELETE", address, owner).reply()

    def post(self, addresses, owner="pod") -> list:
        """The results of a POST of several."""
        body = {"owner": owner, "addresses": [{"address": a} for a in addresses]}
        reply = self.send("POST", "/v1/addresses", body).reply()
        assert reply.status == 200, reply
        return reply.body["results"]

    def addresses(self) -> dict:
        """What the daemon remembers: address -> entry."""
        reply = self.send("GET", "/v1/addresses").reply()
        assert reply.status == 200, reply
        return {entry["address"]: entry for entry in reply.body["addresses"]}

    def owners(self) -> dict:
        """Of what is wanted and there: address -> owner."""
        return {address: e["owner"] for address, e in self.addresses().items()
                if e["state"] == "wanted" and e["assigned"]}

    def metrics(self) -> dict:
        reply = self.send("GET", "/metrics").reply()
        assert reply.status == 200
        lines = [line.rsplit(" ", 1) for line in reply.body.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def ctl(self, command, *args) -> subprocess.CompletedProcess:
        """multus-eksctl, asking this daemon."""
        with self.begin_ctl(command, *args) as process:
            output, error = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, error)

    def begin_ctl(self, command, *args) -> subprocess.Popen:
        """The same, which has not ended."""
        return subprocess.Popen([EKSCTL, command, "--socket", self.daemon.socket_path, *args],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_known(self, *addresses, state="wanted") -> None:
        """Until the daemon has taken in requests that are not answered yet."""
        until(lambda: all(self.addresses().get(a, {}).get("state") == state for a in addresses),
              f"{addresses} {state}")

    # -- EC2's side --------------------------------------------------------

    def eni(self, ifname="eth1") -> dict:
        return next(e for e in self.fleet.interfaces(self.node)
                    if e["tags"]["multus-eks:network"] == ifname)

    def in_ec2(self, ifname="eth1") -> set:
        """The addresses that pods may have: without the interface's own IPv4 one, and IPv4 alone."""
        return set(self.eni(ifname)["ipv4"][1:])

    def in_ec2_6(self, ifname="eth1") -> set:
        return set(self.eni(ifname)["ipv6"])

    def calls(self, action) -> list:
        """What this node has asked of EC2."""
        return [c for c in self.control.calls(action) if c["instance"] == self.node.instance_id]

    def wait_gone(self, *addresses) -> None:
        until(lambda: not self.in_ec2() & set(addresses), f"the release of {addresses}")
