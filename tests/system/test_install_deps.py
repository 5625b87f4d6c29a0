# SPDX-License-Identifier: Apache-2.0
"""ami-scripts/install-deps.sh with stand-ins for the package managers: what it asks for, and when."""

import os
import subprocess

import pytest

SCRIPT = "ami-scripts/install-deps.sh"
#: of libraries that were built anew with a 64-bit time_t: Debian 13, Ubuntu 24.04
RENAMED = ["libcurl4", "libssl3", "libnl-3-200", "libnl-route-3-200", "libmicrohttpd12"]


def listed(*sets) -> list:
    run = subprocess.run([SCRIPT, "--list", *sets], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.split()


@pytest.fixture
def run(tmp_path):
    """Run it on a machine that has these packages; returns what apt-get was asked for."""
    def program(name, text):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)

    def run(installed):
        (tmp_path / "installed").write_text("".join(f"{name}\n" for name in installed))
        program("dpkg-query",
                f'for name; do :; done; grep -qx -- "$name" {tmp_path}/installed && printf installed')
        program("apt-get", f'echo "$@" >>{tmp_path}/asked')
        program("id", "echo 0")
        subprocess.run([SCRIPT, "runtime", "build"], check=True,
                       env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        asked = tmp_path / "asked"
        return asked.read_text() if asked.exists() else ""
    return run


def test_nothing_is_missing(run):
    assert run(listed("runtime", "build")) == ""


def test_libraries_under_their_new_names(run):
    assert run([f"{name}t64" if name in RENAMED else name for name in listed("runtime", "build")]) == ""


def test_only_what_is_missing(run):
    have = set(listed("runtime", "build")) - {"libinih1", "gcc"}
    assert [line for line in run(have).splitlines() if line.startswith("install")] == \
        ["install -y -qq --no-install-recommends libinih1 gcc"]
