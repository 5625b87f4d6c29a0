# SPDX-License-Identifier: Apache-2.0
"""multus-eksctl plan where nobody answers."""

import subprocess

import pytest

from harness import EKSCTL, INSTANCE


@pytest.mark.parametrize("silent, name", [
    (lambda control: control.put("/imds", {"node": INSTANCE, "disabled": "close"}), "IMDS"),
    (lambda control: control.faults({"action": "*", "n": 0, "do": "hang"}), "EC2"),
], ids=["imds", "ec2"])
def test_it_is_said_what_is_waited_for(region, daemon, silent, name):
    silent(region.control)
    with region.node.popen([EKSCTL, "plan", "--config", daemon.config_path], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True) as process:
        line = process.stderr.readline()  # before it gives up
        assert process.poll() is None
        process.kill()
    assert line.startswith("multus-eksctl plan: waiting for ") and name in line
