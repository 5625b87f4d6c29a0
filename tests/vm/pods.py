# SPDX-License-Identifier: Apache-2.0
"""Pods of a guest, attached by the real plugins that are in its image.

    with Runtime(guest) as runtime:
        attachment = runtime.attach(network("10.0.10.200/24"))
        attachment.add()
        attachment.pod.pings("10.0.10.210")
"""

import itertools
import json
import shlex
import subprocess

import cnichain
from registering import until
from watching import Inside

SOCKET = "/run/multus-eks/multus-eks.sock"
_PLUGINS = "/opt/cni/bin"
_numbers = itertools.count(1)


class Pod(Inside):
    """A namespace in /run/netns with a veth into the guest, as the VPC CNI gives one to each."""

    def __init__(self, guest):
        self._guest, number = guest, next(_numbers)
        self.name = f"cni-{number}"
        self.path = f"/run/netns/{self.name}"
        self._there = True
        guest.run(f"ip netns add {self.name}; ip -n {self.name} link set lo up\n"
                  f"ip link add eni{number} type veth peer eth0 netns {self.name}")

    def run(self, *argv, **kw) -> subprocess.CompletedProcess:
        done = self.try_run(*argv, **kw)
        assert done.returncode == 0, done
        return done

    def try_run(self, *argv, input="") -> subprocess.CompletedProcess:
        """Run a command inside, whatever comes of it."""
        command = shlex.join(["ip", "netns", "exec", self.name, *argv])
        return self._guest.try_run(f"{command} <<'END'\n{input}END")

    def plug(self, parent="eth1", mode="l2") -> None:
        """An ipvlan above an ENI, without a plugin's help."""
        self._guest.run(f"ip link add link {parent} name net1 netns {self.name} type ipvlan mode {mode}")
        self.batch("link set net1 up")

    def pings(self, address) -> bool:
        """Whether one of three pings comes back."""
        return self.try_run("ping", "-q", "-c", "3", "-i", "0.2", "-W", "3", address).returncode == 0

    def owner(self) -> str:
        """What the daemon calls it as the owner of an address that it has seen."""
        return f"watch:{self.name}/net1"

    def close(self) -> None:
        """It ends, unless it has done so already."""
        if self._there:
            self._there = False
            self._guest.run(f"ip netns del {self.name}")


class Runtime(cnichain.Runtime):
    """A container runtime in a guest."""

    def namespace(self) -> Pod:
        pod = Pod(self.host)
        self.callback(pod.close)
        return pod

    def invoke(self, command, config, environment):
        words = {"CNI_COMMAND": command, "CNI_PATH": _PLUGINS, **environment}
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in words.items())
        return cnichain.result_of(self.host.try_run(
            f"{settings} {_PLUGINS}/{config['type']} <<'END'\n{json.dumps(config)}\nEND"))


def network(*addresses, plugin=None, registered=True, routes=()) -> dict:
    """A list of ipvlan above eth1, or @plugin, with these addresses, and ours if it is @registered."""
    first = {**(plugin or {"type": "ipvlan", "master": "eth1"}),
             "ipam": {"type": "static", "addresses": [{"address": a} for a in addresses],
                      "routes": list(routes)}}
    ours = [{"type": "multus-eks-ip"}] if registered else []
    return {"cniVersion": "1.0.0", "name": "oam", "plugins": [first, *ours]}


def owners(guest) -> dict:
    """Of what is registered and there: address -> owner."""
    return {entry["address"]: entry["owner"]
            for entry in guest.json("multus-eksctl addresses --json")["addresses"]
            if entry["state"] == "wanted" and entry["assigned"]}


def wait_owners(guest, wanted: dict) -> None:
    """Until these have what is registered, and nobody else anything."""
    until(lambda: owners(guest) == wanted, f"{wanted} of {guest.instance}")


def assigned(guest) -> set:
    """What EC2 has on the guest's interfaces."""
    return {address for eni in guest.control.enis(guest.instance) for address in eni["ipv4"] + eni["ipv6"]}


def wait_unassigned(guest, *addresses) -> None:
    until(lambda: assigned(guest).isdisjoint(addresses), f"the end of {addresses}")
