# SPDX-License-Identifier: Apache-2.0
"""Many short-lived nodes in one simulated region.

A new simulator for each of a hundred crashes would be most of the time spent;
so each crash gets a node of its own in the same region, which is terminated
afterwards. That proves one thing more: with it go all its interfaces.
"""

import os
import time

from harness import Daemon

PRIMARY_SUBNET = "subnet-0000000000000a000"


class Fleet:
    """The nodes of the sample group, one after the other."""

    def __init__(self, region, directory):
        self.region, self.control, self._directory = region, region.control, str(directory)
        self._n = 0

    def launch(self, **entry):
        """A new instance of the sample group with its namespace."""
        self._n += 1
        return self.region.launch({
            "id": f"i-{0xf0000000000000000 + self._n:017x}", "type": "m5.4xlarge",
            "subnet": PRIMARY_SUBNET, "asg": "multus-nodes", "groups": ["sg-00000000000000e45"],
            "tags": {"kubernetes.io/cluster/sample": "owned"}, **entry})

    def daemon(self, node, *args, **kwargs) -> Daemon:
        """A daemon for the node, with nothing remembered."""
        directory = os.path.join(self._directory, node.instance_id)
        os.mkdir(directory)
        return Daemon(node, directory, *args, **kwargs)

    def retire(self, node) -> None:
        """Terminate the instance; its namespace ends with it."""
        self.region.terminate(node.instance_id)

    def interfaces(self, node) -> list:
        """The node's network interfaces but its primary, by device index."""
        return self.control.enis(node.instance_id)[1:]

    def available(self) -> list:
        """Ids of the interfaces that are attached to nothing."""
        return [eni["id"] for eni in self.control.enis() if not eni["attachment"]]

    def settle(self) -> None:
        """Wait until nothing is being detached, and what was has been deleted."""
        deadline = time.monotonic() + 10
        while any(not eni["attachment"] or eni["attachment"]["status"] == "detaching"
                  for eni in self.control.enis()):
            assert time.monotonic() < deadline, self.control.enis()
            time.sleep(0.02)

    def lifecycle(self, node) -> list:
        """Results of the launch hooks' actions for the node; "" is still waiting."""
        return [action["result"] for asg in self.control.state()["asgs"].values()
                for action in asg["actions"] if action["instance_id"] == node.instance_id]
