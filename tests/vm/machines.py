# SPDX-License-Identifier: Apache-2.0
"""The guests of a region: made as nodes of the sample group, configured as an AMI would be."""

import os

from ec2sim.node import AUTOSCALING_ADDRESS, EC2_ADDRESS
from harness import INSTANCE, NETWORKS

from guest import Guest

CA_FILE = "etc/multus-eks-test-ca.pem"


class Machines:
    """
    A context manager; all guests end with it.
    The nodes ask AWS's own names over HTTPS: the simulator's certificate is the only thing that differs
    from a node on AWS, beside the address of those names.
    """

    def __init__(self, region, directory):
        self.region, self.control, self._directory = region, region.control, str(directory)
        self._guests: list = []

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        for guest in self._guests:
            guest.switch_off()

    def files(self, config=NETWORKS) -> dict:
        """What every node has: configuration, names, the certificate."""
        domain = f"{self.region.ready['region']}.amazonaws.com"
        with open(self.region.ready["ca_file"], encoding="utf-8") as file:
            certificate = file.read()
        return {"etc/hosts": f"127.0.0.1 localhost guest\n{EC2_ADDRESS} ec2.{domain}\n"
                             f"{AUTOSCALING_ADDRESS} autoscaling.{domain}\n",
                "etc/multus-eks.conf": config, CA_FILE: certificate,
                "etc/multus-eks.conf.d/10-ca.conf": f"[aws]\nca_file = /{CA_FILE}\n"
                                                    "[daemon]\nlog_level = debug\n"}

    def make(self, instance=INSTANCE, config=NETWORKS, files=None, **options) -> Guest:
        """A guest that is not switched on yet. @files, @options: as for Guest"""
        directory = os.path.join(self._directory, instance)
        os.mkdir(directory)
        guest = Guest(self.region, instance, directory, {**self.files(config), **(files or {})}, **options)
        self._guests.append(guest)
        return guest

    def switch_on(self, *args, **kwargs) -> Guest:
        """A guest that boots."""
        guest = self.make(*args, **kwargs)
        guest.switch_on()
        return guest

    def running(self) -> list:
        """The guests that are switched on."""
        return [guest for guest in self._guests if guest.is_on()]
