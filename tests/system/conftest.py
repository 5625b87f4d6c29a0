# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the whole-daemon tests."""

import pytest
from ec2sim.node import NamespacesUnavailable, Topology

from fleet import Fleet
from harness import Daemon
from registering import scenario


@pytest.fixture
def region():
    """The sample region with one node, in namespaces of its own."""
    topology = Topology()
    try:
        topology.__enter__()
    except NamespacesUnavailable as error:
        pytest.fail(f"cannot make network namespaces: {error}")
    yield topology
    topology.close()


@pytest.fixture
def daemon(region, tmp_path):
    """A daemon on the sample node, not started yet, with three networks configured."""
    daemon = Daemon(region.node, tmp_path)
    yield daemon
    daemon.kill()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """The sample region without a node, for tests that launch their own."""
    with Topology(nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


@pytest.fixture(scope="module")
def pods(tmp_path_factory):
    """The sample region without a node, for those that register addresses."""
    with Topology(scenario(), nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))
