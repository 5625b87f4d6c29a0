# SPDX-License-Identifier: Apache-2.0
"""Nodes in real namespaces: devices come and go, and nothing is left."""

import fcntl
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from ec2sim.node import NamespacesUnavailable, Topology, user_namespace_needed
from ec2sim.scenario import default_scenario
from net_support import INSTANCE, TESTS

try:
    user_namespace_needed()
except NamespacesUnavailable as reason:
    pytest.skip(str(reason), allow_module_level=True)

SUBNET = "subnet-0000000000000a001"


@pytest.fixture
def region():
    scenario = default_scenario()
    scenario["instances"][0]["type"] = "c5n.18xlarge"
    with Topology(scenario) as topology:
        yield topology


def attach(region, index, **more):
    return region.control.post("/foreign-eni", {"subnet": SUBNET, "instance": INSTANCE,
                                                "device_index": index, **more})["id"]


def wait_events(region, count, event="plug"):
    """The events of that kind, when there are so many."""
    deadline = time.monotonic() + 10
    while True:
        events = [e for e in region.control.events() if e["event"] == event]
        if len(events) >= count:
            return events
        assert time.monotonic() < deadline, region.control.events()
        time.sleep(0.01)


def macs(region):
    """Names to MACs of the node's ENIs, but the first."""
    return {name: link["address"] for name, link in region.node.links().items()
            if name not in ("lo", "ens5")}


def test_first_interface_and_metadata(region):
    links = region.node.links()
    assert links["ens5"]["address"] == region.node.mac
    assert links["ens5"]["addr_info"][0]["local"] == "10.0.0.10"
    # and never gets another: two looks at one node must not differ by what the kernel does meanwhile
    details = region.node.run(["ip", "-json", "-details", "link", "show", "ens5"],
                              stdout=subprocess.PIPE, check=True)
    assert json.loads(details.stdout)[0]["inet6_addr_gen_mode"] == "none"
    script = ("curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
              f"{region.imds_url}/latest/api/token && curl -s -m 5 {region.ec2_url} && "
              "getent hosts ec2.eu-central-1.amazonaws.com && ls /sys/class/net")
    done = region.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert "MissingAuthenticationToken" in done.stdout and "198.51.100.10" in done.stdout
    assert done.stdout.split()[-2:] == ["ens5", "lo"]


def test_hop_limit(region):
    """The reply with the token reaches no one who is a hop further away."""
    region.control.put("/imds", {"hop_limit": 1})
    # a namespace behind the node, as a pod would be
    script = """
        ip link add pod0 type veth peer name pod1 && ip address add 10.9.0.1/24 dev pod0
        ip link set pod0 up && echo 1 > /proc/sys/net/ipv4/ip_forward
        echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
        unshare -n sh -c 'read x; ip address add 10.9.0.2/24 dev pod1; ip link set pod1 up
            ip route add default via 10.9.0.1
            exec curl -s -m 2 -o /dev/null -w %{http_code} -X PUT \
                -H "X-aws-ec2-metadata-token-ttl-seconds: 60" \
                http://169.254.169.254/latest/api/token' < /tmp/ec2sim-fifo &
        pod=$!; exec 9>/tmp/ec2sim-fifo
        until [ "$(readlink /proc/$pod/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do :; done
        ip link set pod1 netns $pod; echo >&9; wait $pod; exec 9>&-; ip link del pod0"""
    region.run_in_vpc(["ip", "route", "add", "10.9.0.0/24", "via", "10.0.0.10", "dev",
                       vpc_port(region, region.node.mac), "onlink"], check=True)

    def from_pod():
        script_here = "mount -t tmpfs none /tmp; mkfifo /tmp/ec2sim-fifo;" + script
        return region.run(["unshare", "-m", "sh", "-c", script_here], capture_output=True,
                          text=True, check=False).stdout
    assert from_pod() == "000"
    region.control.put("/imds", {"hop_limit": 2})
    assert from_pod() == "200"


def vpc_port(region, mac):
    eni, = (e for e in region.control.state()["enis"].values() if e["mac"] == mac)
    return "v" + eni["id"].removeprefix("eni-")[-12:]


def test_plug_and_unplug(region):
    eni = attach(region, 1)
    wait_events(region, 1)
    assert macs(region) == {"eth0": region.control.state()["enis"][eni]["mac"]}
    region.control.post(f"/enis/{eni}/detach")
    wait_events(region, 1, "unplug")
    assert macs(region) == {}


def test_detaching(region):
    """The device goes `detach` seconds later, and the attachment ends with it."""
    region.control.latency({"detach": 0.3})
    eni = attach(region, 1)
    wait_events(region, 1)
    region.control.post(f"/enis/{eni}/detach")
    assert region.control.state()["enis"][eni]["attachment"]["status"] == "detaching"
    assert list(macs(region)) == ["eth0"]
    wait_events(region, 1, "unplug")
    plug, unplug = region.control.events()
    assert unplug["t"] - plug["t"] >= 0.3
    assert macs(region) == {}
    while region.control.state()["enis"][eni]["attachment"]:
        assert time.monotonic() * 1e9 - unplug["ns"] < 10e9


def test_detached_and_there_all_the_same(region):
    region.control.latency({"link": 0.3, "detach": 0})
    region.control.plug(linger=0.2)
    eni = attach(region, 1)
    region.control.post(f"/enis/{eni}/detach")
    while region.control.state()["enis"][eni]["attachment"]:
        assert region.control.events() == []
    wait_events(region, 1, "unplug")
    plug, unplug = region.control.events()
    assert (plug["event"], plug["eni"]) == ("plug", eni)
    assert unplug["t"] - plug["t"] >= 0.2
    assert macs(region) == {}


def test_terminate_takes_the_devices(region):
    attach(region, 1)
    attach(region, 2, delete_on_termination=True)
    wait_events(region, 2)
    region.control.delete(f"/instances/{INSTANCE}")
    wait_events(region, 2, "unplug")
    assert macs(region) == {}


def test_detached_before_it_came(region):
    region.control.latency({"link": 0.2})
    eni = attach(region, 1)
    region.control.delete(f"/enis/{eni}")
    # by the time this one is there, the other would have been
    attach(region, 2)
    wait_events(region, 1)
    assert list(macs(region)) == ["eth0"] and len(region.control.events()) == 1


def test_detached_while_it_comes(region):
    """Whatever the moment: at the end there is no device and the log agrees."""
    for _ in range(20):
        eni = attach(region, 1)
        region.control.delete(f"/enis/{eni}")
    attach(region, 2)
    wait_events(region, 1, "plug")
    deadline = time.monotonic() + 10
    while list(macs(region).values()) != [region.control.enis(INSTANCE)[-1]["mac"]]:
        assert time.monotonic() < deadline, macs(region)
        time.sleep(0.01)


def test_names_never_and_delays(region):
    region.control.plug(names={"1": "ens6"}, never=[2], delay={"3": 0.05})
    enis = {index: attach(region, index) for index in (1, 2, 3)}
    wait_events(region, 2)
    state = region.control.state()["enis"]
    assert macs(region) == {"ens6": state[enis[1]]["mac"], "eth0": state[enis[3]]["mac"]}
    assert wait_events(region, 1, "never")[0]["index"] == 2


def test_every_order(region):
    """The kernel's names follow the order of arrival, whatever the order of attachment."""
    for order in itertools.permutations((1, 2, 3)):
        region.control.clear()
        region.control.plug(order=list(order))
        enis = {index: attach(region, index) for index in (1, 2, 3)}
        assert [e["index"] for e in wait_events(region, 3)] == list(order)
        state = region.control.state()["enis"]
        expected = {f"eth{n}": state[enis[index]]["mac"] for n, index in enumerate(order)}
        assert macs(region) == expected
        for eni in enis.values():
            region.control.delete(f"/enis/{eni}")
        wait_events(region, 3, "unplug")


def test_fourteen_at_once_keep_their_delay(region):
    region.control.latency({"link": 0.5})
    for index in range(1, 15):
        attach(region, index)
    after = [event["after"] for event in wait_events(region, 14)]
    print("delay of 500 ms kept within", min(after), max(after))
    assert 0.5 <= min(after) and max(after) <= 0.515
    assert len(macs(region)) == 14


def test_gate_on_a_device(region):
    region.control.gate("link", 2, "before")
    attach(region, 1)
    wait_events(region, 1)
    attach(region, 2)
    assert region.control.gate_reached()["index"] == 2
    assert len(macs(region)) == 1
    region.control.gate_release()
    wait_events(region, 2)
    assert len(macs(region)) == 2


def test_second_node(region):
    node = region.launch({"type": "m5.large", "subnet": "subnet-0000000000000a000"})
    script = "curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "\
        "http://169.254.169.254/latest/api/token"
    assert node.run(["sh", "-c", script], capture_output=True, check=True).stdout
    assert region.control.imds_log()[-1]["instance"] == node.instance_id
    address = node.address.partition("/")[0]
    region.run(["ping", "-c1", "-W2", address], check=True, stdout=subprocess.DEVNULL) \
        if os.path.exists("/usr/bin/ping") else None


def numbered(at_least):
    """A socket whose descriptor is the first free one from there."""
    with socket.socket(socket.AF_UNIX) as sock:
        return socket.socket(fileno=fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, at_least))


@pytest.mark.parametrize("numbers", [(3, 3), (50, 51), (51, 50), (100, 3)])
def test_sockets_are_passed_on(region, numbers):
    """Whatever numbers they have here, they arrive as 3 and 4."""
    with numbered(numbers[0]) as one, numbered(numbers[1]) as two:
        script = ("import os, socket as s; assert os.environ['LISTEN_PID'] == str(os.getpid());"
                  "print(os.environ['LISTEN_FDNAMES'], s.socket(fileno=3).getsockname(),"
                  "s.socket(fileno=4).getsockname())")
        one.bind("\0ec2sim-one-%d" % os.getpid())
        two.bind("\0ec2sim-two-%d" % os.getpid())
        process = region.node.popen(["/usr/bin/python3", "-c", script], {"a": one, "b": two},
                                    stdout=subprocess.PIPE, text=True)
        words = process.communicate(timeout=10)[0].split()
    assert words[0] == "a:b" and "one" in words[1] and "two" in words[2]


_SLEEPER = """
import sys, time
from ec2sim.node import Topology
with Topology() as region:
    child = region.node.popen(["sleep", "3600"])
    keepers = [region._keeper._process.pid, region.node._keeper._process.pid]
    print(*keepers, region.pid, child.pid, flush=True)
    time.sleep(3600)
"""


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_its_maker(number, early):
    """
    @early: the end comes while the node's process is still being started. A shell that runs us in the
    background has us ignore SIGINT, which is not what is tested.
    """
    argv = ["/usr/bin/env", "--default-signal=INT", "/usr/bin/python3", "-c", _SLEEPER]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL,
                          env={**os.environ, "PYTHONPATH": TESTS}) as process:
        try:
            pids = [int(word) for word in process.stdout.readline().split()]
            assert len(pids) == 4 and all(_alive(pid) for pid in pids)
            while not early and _name(pids[3]) != "sleep":
                pass
            process.send_signal(number)
            process.wait(10)
        finally:
            process.kill()
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, [pid for pid in pids if _alive(pid)]
        time.sleep(0.02)


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        return file.read().strip()


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_machine_is_untouched(region):
    """No address of ours outside of the namespaces."""
    assert sys.platform == "linux"
    done = subprocess.run(["ip", "-br", "address"], capture_output=True, text=True, check=True)
    assert "169.254.169.254" not in done.stdout and "198.51.100.1" not in done.stdout
