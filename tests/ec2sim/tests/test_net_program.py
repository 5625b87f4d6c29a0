# SPDX-License-Identifier: Apache-2.0
"""The program: its arguments, inherited sockets, the line that says ready."""

import json
import os
import signal
import socket
import subprocess

from ec2sim.client import ControlClient
from net_support import TESTS, form, post, running, signed

ENV = {**os.environ, "PYTHONPATH": TESTS}


def test_port_and_signals(tmp_path):
    for number in (signal.SIGTERM, signal.SIGINT):
        control = tmp_path / "control"
        with subprocess.Popen(["/usr/bin/python3", "-m", "ec2sim", "--port", "0", "--control",
                               str(control)], stdout=subprocess.PIPE, env=ENV) as process:
            ready = json.loads(process.stdout.readline())
            assert not ready["ec2"].endswith(":0") and ready["control"] == str(control)
            process.send_signal(number)
            assert process.wait(10) == 0 and not control.exists()


def test_inherited_sockets(tmp_path):
    listeners = [socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0)),
                 socket.socket(socket.AF_UNIX)]
    listeners[2].bind(str(tmp_path / "c"))
    listeners[2].listen()
    moves = "".join(f"exec {3 + i}<&{50 + i}; " for i in range(3))
    aside = "".join(f"exec {50 + i}<&{s.fileno()}; " for i, s in enumerate(listeners))
    script = aside + moves + 'export LISTEN_FDS=3 LISTEN_PID=$$; exec "$@"'
    with subprocess.Popen(["/bin/bash", "-c", script, "x", "/usr/bin/python3", "-m", "ec2sim",
                           "--exit-on-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV,
                          pass_fds=[s.fileno() for s in listeners]) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["ec2"].endswith(f":{listeners[0].getsockname()[1]}")
        assert ready["autoscaling"].endswith(f":{listeners[1].getsockname()[1]}")
        assert ControlClient(str(tmp_path / "c")).state()["region"] == "eu-central-1"
        process.stdin.close()
        assert process.wait(10) == 0
    for listener in listeners:
        listener.close()


def test_scenario_and_settings(tmp_path):
    world = {"region": "us-east-1", "vpcs": [{"id": "vpc-00000001", "cidr": "10.0.0.0/16"}],
             "subnets": [{"id": "subnet-00000001", "az": "us-east-1a", "cidr": "10.0.0.0/24"}]}
    file = tmp_path / "world.json"
    file.write_text(json.dumps(world))
    body = form("DescribeSubnets")
    for words in (["--scenario", str(file)], ["--scenario", json.dumps(world)]):
        with running(tmp_path, *words, "--key", "AKIAOTHER:secret", "--buckets") as sim:
            headers = signed(sim.ec2, body, key="AKIAOTHER", secret="secret", region="us-east-1")
            assert list(sim.control.state()["subnets"]) == ["subnet-00000001"]
            # EC2's bucket for what only reads: 100, and 20 more each second
            got = [post(sim.ec2, headers, body)[0] for _ in range(101)]
            assert got[0] == 200 and got.count(200) >= 100
