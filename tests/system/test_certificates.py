# SPDX-License-Identifier: Apache-2.0
"""Without ca_file the system's certificate authorities count, however they are kept."""

import pytest
from ec2sim.node import Topology

from certificates import install
from harness import Daemon


@pytest.mark.parametrize("hashed, bundle", [(True, False), (False, True)])
def test_of_the_system(tmp_path, hashed, bundle):
    with Topology(tls=str(tmp_path / "tls")) as region:
        install(region.node, str(tmp_path), str(tmp_path / "tls/ca.pem"), hashed, bundle)
        with Daemon(region.node, tmp_path, aws="") as daemon:
            assert daemon.wait_ready()["phase"] == "ready"


def test_ca_file_alone_counts(tmp_path):
    """An authority of the system is none when the configuration names its own."""
    with Topology(tls=str(tmp_path / "tls")) as region:
        install(region.node, str(tmp_path), str(tmp_path / "tls/ca.pem"))
        other = tmp_path / "other.pem"
        other.write_text((tmp_path / "certs/ce5e74ef.0").read_text("ascii"), "ascii")
        with Daemon(region.node, tmp_path, aws=f"ca_file = {other}\n") as daemon:
            assert daemon.wait_exit() == 1
            assert "certificate" in "".join(daemon.errors())
