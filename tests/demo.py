# SPDX-License-Identifier: Apache-2.0
"""A simulated node boots, on real network interfaces: `make demo`.

In network namespaces of its own this starts the simulated AWS, with latencies
as on EC2, and one node of an Auto Scaling group whose tags name three subnets.
The node runs the daemon with the sample configuration. Shown are the boot as a
timeline, what the daemon, the kernel and EC2 say of it, a second boot of the
same node, which changes nothing, and a pod whose address becomes routable.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import types

_TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_TESTS, "system"))

from ec2sim.node import NamespacesUnavailable, Topology  # noqa: E402
from ec2sim.probe import Probe, answers  # noqa: E402
from ec2sim.scenario import example_scenario  # noqa: E402

from cnichain import kernel_has  # noqa: E402
from harness import EKSCTL, Daemon, leaked  # noqa: E402
from registering import until  # noqa: E402
from watching import Pod  # noqa: E402

#: seconds, as one sees them on EC2; link: from Attach's reply to the device
LATENCY = {"CreateNetworkInterface": 0.6, "AttachNetworkInterface": 0.7,
           "ModifyNetworkInterfaceAttribute": 0.3, "AssignPrivateIpAddresses": 0.4, "link": 0.5}
DESCRIBES = ("DescribeInstances", "DescribeSubnets", "DescribeInstanceTypes",
             "DescribeNetworkInterfaces", "DescribeAutoScalingGroups", "DescribeLifecycleHooks")
#: an address of eth1's subnet for a pod, and another subnet of the VPC
ADDRESS, ELSEWHERE = "10.0.10.200", "subnet-0aaaaaaaaaaaaaaa2"
SAMPLE = os.path.join(_TESTS, "..", "conf", "multus-eks.conf")


def scenario() -> dict:
    """The example region; the group's tags name the subnets of both zones."""
    world = example_scenario()
    world["asgs"][0]["tags"] |= {
        "multus-eks:subnets": ",".join(f"subnet-0{zone * 15}{n}" for zone in "ab" for n in "123"),
        "multus-eks:security-groups": "sg-0123456789abcdef0",
        "multus-eks:interface-tags": "cnf=abc01, type=5g",
    }
    return world


def title(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}\n{'-' * len(text)}",
          flush=True)


def timeline(region, daemon) -> None:
    """Each call and each device with its time since the daemon's first word."""
    begin = daemon.log()[0]["MONOTONIC_USEC"] * 1000
    rows = []
    for call in region.control.calls():
        took = (call["end"] - call["t"]) * 1000
        about = call["params"].get("NetworkInterfaceId") or call["params"].get("SubnetId") or ""
        rows.append((call["ns"], f"EC2     {call['action']} {about}  {took:.0f} ms"))
    for entry in daemon.log():
        if int(entry["PRIORITY"]) <= 6:
            rows.append((entry["MONOTONIC_USEC"] * 1000, f"daemon  {entry['MESSAGE']}"))
    for nanoseconds, text in sorted(rows):
        print(f"{(nanoseconds - begin) / 1e6:9.1f} ms  {text}")


def show_ec2(region) -> None:
    for eni in region.control.enis(region.node.instance_id):
        attachment = eni["attachment"]
        addresses = eni["ipv4"] + eni["ipv6"]
        print(f"  {eni['id']}  index {attachment['device_index']}  {eni['subnet_id']}  "
              f"{', '.join(addresses)}  delete-on-termination "
              f"{attachment['delete_on_termination']}")
        if "multus-eks:network" in eni["tags"]:
            print("    " + "  ".join(f"{k}={v}" for k, v in sorted(eni["tags"].items())))


@contextlib.contextmanager
def booted(region, directory):
    """The daemon with the sample configuration and AWS's own host names, ready."""
    with open(SAMPLE, encoding="utf-8") as file:
        config = file.read()
    with Daemon(region.node, directory, config, f"ca_file = {directory}/ca.pem\n") as daemon:
        daemon.wait_ready()
        yield daemon


def first_boot(region, directory) -> None:
    title("First boot: the timeline")
    with booted(region, directory) as daemon:
        timeline(region, daemon)
        title("multus-eksctl status")
        subprocess.run([EKSCTL, "status", "--socket", daemon.socket_path], check=True)
        title("The node's interfaces: ip -br addr")
        region.node.run(["ip", "-br", "addr"], check=True)
        title("What EC2 has")
        show_ec2(region)


def pod(region, daemon) -> None:
    """Its address is seen, by nobody's help, and a host of another subnet reaches it."""
    if not kernel_has("macvlan"):
        print("\nThis kernel has no macvlan, of which the demo's pod would be made: it ends here.")
        return
    title("A pod gets an address above eth1; a host of another subnet pings it")
    host = region.add_host(ELSEWHERE)
    with contextlib.closing(Pod(types.SimpleNamespace(node=region.node))) as guest:
        region.node.await_up("eth1")
        guest.plug(mode="passthru")
        guest.await_carrier()
        region.control.clear()
        with Probe(host, ADDRESS) as probe:
            begin = time.monotonic_ns()
            guest.route(f"{ADDRESS}/24")
            until(lambda: answers(host, ADDRESS), f"an answer of {ADDRESS}")
        call, = region.control.calls("AssignPrivateIpAddresses")
        first = min(probe.answered())
        lost = probe.asked(begin, first) - len(probe.answered(begin, first))
        for at, text in ((begin, f"pod     {ADDRESS} is added to its interface"),
                         (call["ns"], f"EC2     {call['action']} {call['params']['NetworkInterfaceId']}  "
                                      f"{(call['end'] - call['t']) * 1000:.0f} ms"),
                         (first, f"host    the first echo comes back, {lost} were lost before")):
            print(f"{(at - begin) / 1e6:9.1f} ms  {text}")
        title("multus-eksctl addresses")
        subprocess.run([EKSCTL, "addresses", "--socket", daemon.socket_path], check=True)


def second_boot(region, directory) -> bool:
    """Whether it changed nothing. Then a pod comes."""
    before = region.node.links()
    region.control.clear()
    title("Second boot of the same node")
    with booted(region, directory) as daemon:
        timeline(region, daemon)
        mutating = [c["action"] for c in region.control.calls(mutating=True)
                    if c["action"] != "CompleteLifecycleAction"]
        same = region.node.links() == before
        print(f"\n{len(mutating)} mutating calls, interfaces {'unchanged' if same else 'CHANGED'}, "
              f"{len(leaked(region))} ENIs leaked")
        pod(region, daemon)
    return not mutating and same and not leaked(region)


def main() -> int:
    directory = tempfile.mkdtemp(prefix="multus-eks-demo-")
    try:
        with Topology(scenario(), tls=directory) as region:
            region.control.latency({**LATENCY, **{name: 0.15 for name in DESCRIBES}})
            first_boot(region, directory)
            return 0 if second_boot(region, directory) else 1
    except NamespacesUnavailable as error:
        print(f"demo: {error}\nRun it as root, or where the kernel lets users make namespaces.",
              file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
