# SPDX-License-Identifier: Apache-2.0
"""python3 -m bench.sample: what AWS's samples do for the addresses of pods, on a simulated node.

Two of them are published, both in Python with boto3:

  sidecar    one in each pod (aws-samples/eks-automated-ipmgmt-multus-pods,
             code/assign-ip-new-ip6-parallel.py): every 0.5 s it looks at the
             pod's addresses; for new ones it makes one AssignPrivateIpAddresses
             with AllowReassignment, and waits up to 2 s for it
  start      the same in a pod that starts, or as its init container: the
             addresses are there at the first look, but before that it makes a
             DescribeInstances and a DescribeSubnets for each ENI of the node
  daemonset  one on each node (aws-samples/eks-nonintrusive-automated-ipmgmt-
             multus-pods, code/assignPodAddress.py): a second after the end of
             the last round it asks for all pods of the cluster; for each pod
             with new addresses, one after the other, it makes one such call and
             waits up to 2 s for it

What is left out is in their favour: the start of Python, boto3 and its clients;
`ip address` in each pod and each round; `kubectl get pods` and a GET for each
pod in each round. They are threads of one process, not processes. The calls are
botocore's own, with its retries as boto3 has them by default.

stdin: what to do, as a line of JSON, then "go": the addresses are there from
then on. stdout: "ready", then CLOCK_MONOTONIC in nanoseconds of that moment and
the seconds of CPU until all was done.
"""

import json
import random
import sys
import threading
import time

import botocore.session

JOIN = 2.0


def _client(session, task: dict):
    """Credentials are the node's, by IMDS; the connection is the client's own."""
    return session.create_client("ec2", region_name=task["region"], endpoint_url=task["url"])


class _Appeared:
    """Whether the addresses are in the pods."""

    def __init__(self):
        self.at = 0

    def __call__(self) -> bool:
        return self.at > 0


def _assign(client, task: dict, address: str) -> None:
    """In the samples a process of its own: how it ends is not looked at."""
    def call():
        client.assign_private_ip_addresses(AllowReassignment=True, NetworkInterfaceId=task["eni"],
                                           PrivateIpAddresses=[address])

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(JOIN)


def _poll(appeared, interval: float, phase: float) -> None:
    """They have run for long: the next look is anywhen in an interval."""
    time.sleep(phase * interval)
    while not appeared():
        time.sleep(interval)


def _sidecar(client, task, appeared, address, phase) -> None:
    _poll(appeared, 0.5, phase)
    _assign(client, task, address)


def _start(client, task, appeared, address, _phase) -> None:
    _poll(appeared, 0.001, 0)
    reply = client.describe_instances(InstanceIds=[task["instance"]])
    for interface in reply["Reservations"][0]["Instances"][0]["NetworkInterfaces"]:
        client.describe_subnets(SubnetIds=[interface["SubnetId"]])
    _assign(client, task, address)


def _daemonset(client, task, appeared, phase) -> None:
    _poll(appeared, 1.0, phase)
    for address in task["addresses"]:
        _assign(client, task, address)


def _threads(task: dict, appeared) -> list:
    rng, session = random.Random(task["seed"]), botocore.session.get_session()
    if task["kind"] == "daemonset":
        arguments = (_client(session, task), task, appeared, rng.random())
        return [threading.Thread(target=_daemonset, args=arguments)]
    target = {"sidecar": _sidecar, "start": _start}[task["kind"]]
    return [threading.Thread(target=target, args=(_client(session, task), task, appeared, a, rng.random()))
            for a in task["addresses"]]


def main() -> int:
    task, appeared = json.loads(sys.stdin.readline()), _Appeared()
    threads = _threads(task, appeared)
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    assert sys.stdin.readline() == "go\n"
    cpu = time.process_time()
    appeared.at = time.monotonic_ns()
    for thread in threads:
        thread.join()
    print(json.dumps([appeared.at, time.process_time() - cpu]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
