# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that boot real guests, and what is kept of a test that fails."""

import itertools
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from ec2sim.node import NamespacesUnavailable, Topology  # noqa: E402

from guest import IMAGE  # noqa: E402
from machines import Machines  # noqa: E402

_LOGS = os.path.join(IMAGE, "logs")
_REPORTS: list = []
_OPEN: list = []


def _machines(directory, scenario):
    try:
        with Topology(scenario, plug="guest", nodes=(), tls=str(directory)) as region, \
                Machines(region, directory) as machines:
            _OPEN.append(machines)
            yield machines
            _OPEN.remove(machines)
    except NamespacesUnavailable as error:
        pytest.fail(f"cannot make network namespaces: {error}")


@pytest.fixture
def scenario():
    """The region of `machines`; None: the sample."""


@pytest.fixture
def machines(tmp_path, scenario):
    """A region, and the guests of one test."""
    yield from _machines(tmp_path, scenario)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The sample region, and guests for all tests of a file."""
    yield from _machines(tmp_path_factory.mktemp("machines"), None)


@pytest.fixture
def report():
    """To be called with lines that are printed after all tests."""
    return _REPORTS.extend


def pytest_terminal_summary(terminalreporter):
    for line in _REPORTS:
        terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    result = outcome.get_result()
    if not result.failed:
        return
    for guest in itertools.chain.from_iterable(machines.running() for machines in _OPEN):
        name = f"{re.sub(r'[^a-z0-9_]+', '-', item.name)}-{guest.instance}"
        guest.keep_logs(os.path.join(_LOGS, name))
        result.sections.append(("guest", f"its logs are in {_LOGS}/{name}"))
