# SPDX-License-Identifier: Apache-2.0
"""Certificates and proxies between the node and AWS."""

import os

import pytest
from ec2sim.node import Topology

from fault import owned, runs_out_of_time, settings, told, verdict
from harness import Daemon

DOWN = "http://127.0.0.1:9"


def boot(tmp_path, aws, arguments=()):
    """A region with HTTPS under the endpoints' own names, and a daemon that uses it."""
    region = Topology(tls=str(tmp_path / "tls"), arguments=arguments)
    return region, lambda: Daemon(region.node, tmp_path, settings(lifecycle_hook="none"), aws=aws)


@pytest.mark.parametrize("name, ca, word", [
    ([], True, None), ([], False, "certificate"), (["--tls-name", "other.example"], True, "name"),
], ids=["right", "unknown-ca", "wrong-name"])
def test_certificate(tmp_path, name, ca, word):
    """One that is refused is not tried again, however much time there is."""
    region, make = boot(tmp_path, f"ca_file = {tmp_path}/tls/ca.pem\n" if ca else "region = auto\n", name)
    with region:
        daemon = make()
        if word is None:
            daemon.start()
            assert daemon.wait_ready()["phase"] == "ready"
            assert daemon.stop() == 0
        else:
            verdict(daemon, "block", [])
            told(daemon, "AWS_CALL_FAILED", "ec2.eu-central-1.amazonaws.com", word, "ca_file")
        owned(region)


@pytest.mark.parametrize("excepted", [False, True], ids=["used", "excepted"])
def test_proxy_that_is_down(tmp_path, monkeypatch, excepted):
    """HTTPS_PROXY and NO_PROXY count; the metadata service is never asked through it."""
    monkeypatch.setitem(os.environ, "HTTPS_PROXY", DOWN)
    monkeypatch.setitem(os.environ, "http_proxy", DOWN)
    monkeypatch.setitem(os.environ, "NO_PROXY", ".amazonaws.com" if excepted else "")
    region, make = boot(tmp_path, f"ca_file = {tmp_path}/tls/ca.pem\n")
    with region:
        daemon = make()
        if excepted:
            daemon.start()
            assert daemon.wait_ready()["phase"] == "ready"
            assert daemon.stop() == 0
        else:
            runs_out_of_time(daemon, "block", "127.0.0.1 port 9", lifecycle_hook="none")
            told(daemon, "AWS_CALL_FAILED", "127.0.0.1 port 9")
            assert region.control.calls() == [] and region.control.imds_log()
        owned(region)
