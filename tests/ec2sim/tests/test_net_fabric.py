# SPDX-License-Identifier: Apache-2.0
"""The VPC between real devices: an address answers where EC2 says it is, and nowhere else."""

import contextlib
import json
import re
import subprocess
import sys

import pytest
from ec2sim.node import NamespacesUnavailable, Topology, user_namespace_needed
from ec2sim.probe import Probe, answers
from ec2sim.scenario import default_scenario
from net_support import INSTANCE, form, signed

try:
    user_namespace_needed()
except NamespacesUnavailable as reason:
    pytest.skip(str(reason), allow_module_level=True)

OTHER = "i-00000000000000002"
PODS, ELSEWHERE = "subnet-0000000000000a001", "subnet-0000000000000a002"
POD4, POD6 = "10.0.10.200", "2001:db8:e2c:10::200"

# send one frame: device, hex
FRAME = ("import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0); "
         "s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 0x0800))")


@pytest.fixture(name="region", scope="module")
def _region():
    scenario = default_scenario()
    scenario["instances"].append({"id": OTHER, "type": "m5.4xlarge",
                                  "subnet": "subnet-0000000000000a000"})
    with Topology(scenario) as topology:
        topology.host = topology.add_host(ELSEWHERE)
        topology.enis = {i: _eni(topology, i) for i in (INSTANCE, OTHER)}
        yield topology


def _eni(region, instance) -> dict:
    """An ENI in the pods' subnet, its device up in the node."""
    eni_id = region.control.post("/foreign-eni", {"subnet": PODS, "instance": instance,
                                                  "device_index": 1})["id"]
    node = region.nodes[instance]
    node.run(["sh", "-ec", "for i in $(seq 500); do test -e /sys/class/net/eth0 && break; "
              "sleep 0.01; done; ip link set eth0 addrgenmode none; ip link set eth0 up; "
              "for d in all eth0; do echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter; done"],
             check=True)
    node.await_up("eth0")
    return region.control.state()["enis"][eni_id]


@contextlib.contextmanager
def pod(region, instance, *addresses):
    """The addresses of a pod in a node, as an ipvlan behind the ENI would have them."""
    def ip(address, *lines):
        region.nodes[instance].run(["ip", "-6" if ":" in address else "-4", "-batch", "-"],
                                   text=True, check=True, input="\n".join(lines) + "\n")

    for address in addresses:
        length, more, via = (128, "nodad", "fe80:ec2::1") if ":" in address else \
            (32, "", "10.0.10.1")
        # the kernel takes the routes away together with a device's last address
        ip(address, f"address add {address}/{length} dev eth0 {more}",
           f"route replace default via {via} dev eth0 onlink table 100",
           f"rule add from {address} table 100")
    try:
        yield
    finally:
        for address in addresses:
            ip(address, f"rule del from {address} table 100",
               f"address del {address}/{128 if ':' in address else 32} dev eth0")


def call(region, action, **params) -> tuple:
    """An operator's call that must succeed. Return when it came and when it was answered, monotonic ns."""
    url, body = region.ec2_url + "/", form(action, **params)
    headers = [f"-H{k}: {v}" for k, v in signed(url, body).items() if k != "Content-Length"]
    done = region.host.run(["curl", "-s", "-m", "5", *headers, "--data", body, url],
                           capture_output=True, text=True, check=True)
    entry = region.control.calls(action)[-1]
    assert entry["status"] == 200, done.stdout
    return entry["ns"], entry["ns"] + round((entry["end"] - entry["t"]) * 1e9)


def assign(region, instance, address, **more):
    eni = region.enis[instance]["id"]
    if ":" in address:
        return call(region, "AssignIpv6Addresses",
                    **{"NetworkInterfaceId": eni, "Ipv6Addresses.1": address})
    return call(region, "AssignPrivateIpAddresses",
                **{"NetworkInterfaceId": eni, "PrivateIpAddress.1": address, **more})


def unassign(region, instance, address):
    eni = region.enis[instance]["id"]
    if ":" in address:
        return call(region, "UnassignIpv6Addresses",
                    **{"NetworkInterfaceId": eni, "Ipv6Addresses.1": address})
    return call(region, "UnassignPrivateIpAddresses",
                **{"NetworkInterfaceId": eni, "PrivateIpAddress.1": address})


@pytest.mark.parametrize("address", [POD4, POD6])
def test_an_address_answers_while_it_is_assigned(region, address):
    with pod(region, INSTANCE, address):
        with Probe(region.host, address) as probe:
            assert not answers(region.host, address)
            asked, begun = assign(region, INSTANCE, address)
            assert answers(region.host, address)
            _, ended = unassign(region, INSTANCE, address)
            assert not answers(region.host, address)
    # for the very next packet, however soon it comes
    assert probe.first(begun)[1]
    assert probe.asked(end=asked) > 20 and probe.asked(begin=ended) > 20
    # the call is carried out some moments before its answer, and what was under way then is answered as well
    assert min(probe.answered()) > asked and not probe.answered(begin=ended)


def test_a_move_to_another_node(region):
    with pod(region, INSTANCE, POD4), pod(region, OTHER, POD4):
        assign(region, INSTANCE, POD4)
        macs = {i: region.enis[i]["mac"] for i in (INSTANCE, OTHER)}
        neighbour = region.add_host(PODS)
        with Probe(region.host, POD4) as probe:
            assert answers(neighbour, POD4) and mac_seen(neighbour, POD4) == macs[INSTANCE]
            _, moved = assign(region, OTHER, POD4, AllowReassignment="true")
            with Watch(region.nodes[INSTANCE]) as old:
                assert answers(region.host, POD4)
                host = region.host
                send(host, frame(mac_seen(host, host.gateway), host.mac, host.address.split("/")[0],
                                 region.enis[INSTANCE]["ipv4"][0], 4242), host.primary)
                assert POD4 not in old.until(4242)
        assert probe.first(moved)[1]
        neighbour.run(["ip", "neigh", "flush", "all"], check=True)
        assert answers(neighbour, POD4) and mac_seen(neighbour, POD4) == macs[OTHER]
        unassign(region, OTHER, POD4)
        region.terminate(neighbour.instance_id)


def mac_seen(host, address) -> str:
    shown = host.run(["ip", "-json", "neigh", "show", address], capture_output=True, check=True)
    return json.loads(shown.stdout)[0]["lladdr"]


class Watch:
    """tcpdump as the judge: what arrives at a node's device, until the last frame sent has."""

    def __init__(self, node, device="eth0"):
        if user_namespace_needed():
            # as uid 0 it insists on changing its groups, which such a namespace forbids
            pytest.skip("tcpdump does not run in a user namespace")
        self._process = node.popen(["tcpdump", "-lnne", "--immediate-mode", "-Q", "in", "-i", device,
                                    "icmp"], text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)

    def __enter__(self):
        for line in self._process.stderr:
            if "listening on" in line:
                return self
        raise AssertionError("tcpdump ended")

    def until(self, seq: int) -> str:
        """All lines up to that of the echo numbered @seq; frames keep their order."""
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if f"seq {seq}," in line:
                return "".join(lines)
        raise AssertionError(f"no echo {seq} in {lines}")

    def __exit__(self, *_exception):
        self._process.kill()
        self._process.communicate()


def frame(to, sender, source, destination, seq=1) -> str:
    """An ICMP echo as hex; the ICMP checksum is of no interest to the fabric or to tcpdump."""
    def hexed(address):
        return bytes(int(n) for n in address.split(".")).hex()
    return (to + sender).replace(":", "") + "08004500001c0001000040010000" + \
        hexed(source) + hexed(destination) + f"080000000001{seq:04x}"


def send(node, data, device="eth0"):
    node.run([sys.executable, "-c", FRAME, device, data], check=True)


def test_a_foreign_source(region):
    assert answers(region.host, region.node.address.split("/")[0])
    to, mine = mac_seen(region.host, region.host.gateway), region.enis[INSTANCE]
    host4 = region.host.address.split("/")[0]
    frames = [frame(to, mine["mac"], "10.0.10.99", host4, 1),
              frame(to, "02:00:00:00:00:99", mine["ipv4"][0], host4, 2),
              frame(to, mine["mac"], mine["ipv4"][0], host4, 3)]
    check = {"NetworkInterfaceId": mine["id"], "SourceDestCheck.Value": "false"}
    with Watch(region.host, "ens5") as watch:
        for data in frames:
            send(region.node, data)
        assert sequence(watch.until(3)) == [3]
        call(region, "ModifyNetworkInterfaceAttribute", **check)
        for data in frames:
            send(region.node, data)
        assert sequence(watch.until(3)) == [1, 3]
    call(region, "ModifyNetworkInterfaceAttribute", **{**check, "SourceDestCheck.Value": "true"})


def sequence(text: str) -> list:
    return [int(n) for n in re.findall(r"echo request, id 1, seq (\d+),", text)]


def test_the_wrong_mac(region):
    """Two ENIs in one subnet: what is for one's address reaches it by its own MAC alone."""
    mine, other = region.enis[INSTANCE], region.enis[OTHER]
    stranger = "10.0.10.97"
    with Watch(region.nodes[OTHER]) as watch:
        for seq, to, whom in ((1, mine["mac"], other["ipv4"][0]),
                              (2, "02:00:00:00:00:99", other["ipv4"][0]),
                              (3, "ff:ff:ff:ff:ff:ff", other["ipv4"][0]),
                              (4, other["mac"], stranger), (5, other["mac"], other["ipv4"][0])):
            send(region.node, frame(to, mine["mac"], mine["ipv4"][0], whom, seq))
        assert sequence(watch.until(5)) == [5]
    assert region.control.get("/fabric")["no holder"] >= 3


def test_tcp_between_hosts(region):
    """Checksums and segments that the kernel leaves to the device arrive whole."""
    other = region.add_host("subnet-0000000000000a003")
    server = ("import socket; s = socket.create_server(('', 7000)); print('up', flush=True); "
              "c = s.accept()[0]; n = 0\nwhile (d := c.recv(65536)): n += len(d)\nprint(n)")
    process = other.popen([sys.executable, "-c", server], text=True, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    client = "import socket, sys; socket.create_connection((sys.argv[1], 7000), 5)" \
             ".sendall(bytes(1 << 20))"
    region.host.run([sys.executable, "-c", client, other.address.split("/")[0]], check=True,
                    timeout=20)
    assert process.communicate(timeout=10)[0] == f"{1 << 20}\n"
    region.terminate(other.instance_id)
