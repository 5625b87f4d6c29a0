# SPDX-License-Identifier: Apache-2.0
"""Killed before each system call that writes something, while it registers and releases.

A run without disturbance is recorded under strace; then, on a node of its own
for each, the daemon is killed at the first, the second, … write that follows
READY. The peer knows what was answered, and that must hold in the next run;
what was not answered must end either way, and the daemon and EC2 agree.
"""

import http.client
import os
import select
import signal
import subprocess

from harness import PATIENCE
from registering import Registering, until

KEPT, GIVEN_BACK, V6, LAST = "10.0.10.201", "10.0.10.202", "2001:db8:e2c:10::a1", "10.0.10.203"

#: what the daemon does on behalf of a peer: the file, the answer, the calls
WRITES = "write,writev,fsync,rename,renameat,renameat2,unlink,unlinkat,sendmsg,sendto"

#: (method, address, owner), one after the other
SCRIPT = [("PUT", KEPT, "pod"), ("PUT", GIVEN_BACK, "pod"), ("PUT", V6, "pod"), ("PUT", KEPT, "heir"),
          ("DELETE", GIVEN_BACK, "pod"), ("DELETE", V6, "pod"), ("PUT", LAST, "pod")]


class Traced(Registering):
    """Its daemon can be killed by strace at the k-th call of one kind, from READY on."""

    def trace(self, name="", k=0) -> subprocess.Popen:
        """Attach to the running daemon; returns when strace sees every call."""
        inject = ["-e", f"inject={name}:signal=KILL:when={k}"] if k else []
        self.trace_path = os.path.join(self.daemon.directory, "strace")
        tracer = subprocess.Popen(
            ["strace", "-p", str(self.daemon.process.pid), "-o", self.trace_path, "-e", f"trace={WRITES}",
             "-e", "signal=none", *inject], stderr=subprocess.PIPE, text=True)
        assert "attached" in tracer.stderr.readline()
        return tracer

    def ask(self, method, address, owner):
        """The reply, or None: it was killed. The socket stays, so a new connection would wait for ever."""
        pidfd = os.pidfd_open(self.daemon.process.pid)
        try:
            pending = self.begin(method, address, owner)
            select.select([pending, pidfd], [], [], PATIENCE)
            return pending.reply() if select.select([pending], [], [], 0)[0] else None
        except (http.client.HTTPException, OSError):
            return None
        finally:
            os.close(pidfd)

    def play(self) -> dict:
        """The script, until it is killed; address -> owner as answered with 200, None for given back."""
        answered = {}
        for method, address, owner in SCRIPT:
            reply = self.ask(method, address, owner)
            if reply is None:
                self.unanswered = address
                return answered
            assert reply.status == 200, reply
            answered[address] = owner if method == "PUT" else None
        self.unanswered = None
        return answered


def record(pods) -> list:
    """The writes of the script, as (name, number among its like)."""
    with Traced(pods, release_cooldown="0") as node:
        tracer = node.trace()
        node.play()
        until(lambda: on_eni(node) == {KEPT, LAST}, "the release")
        node.daemon.kill()
        tracer.wait(PATIENCE)
        tracer.stderr.close()
        with open(node.trace_path, encoding="utf-8") as file:
            names = [line.partition("(")[0] for line in file if "(" in line]
    return [(name, names[:i + 1].count(name)) for i, name in enumerate(names)]


def check(node, answered) -> None:
    """The next run knows what was answered; in the end EC2 shows that and nothing else."""
    node.start()
    owners = node.owners()
    sure = {a: owner for a, owner in answered.items() if a != node.unanswered}
    for address, owner in sure.items():
        assert owners.get(address) == owner, (address, owner, owners)
    until(lambda: set(node.addresses()) == set(node.owners()) == on_eni(node), "the end of what nobody owns")
    assert node.owners() == owners
    for address in set(owners) - set(sure):
        assert owners[address] == "heir" or (address, owners[address]) in [s[1:] for s in SCRIPT]
    node.control.clear()
    node.restart()
    assert node.owners() == owners
    assert node.control.calls(mutating=True) == []


def on_eni(node) -> set:
    return {a for a in node.in_ec2() | node.in_ec2_6() if a in (KEPT, GIVEN_BACK, V6, LAST)}


def test_every_write(pods):
    writes = record(pods)
    assert {"fsync", "rename"} <= {name for name, _ in writes}
    n_killed = 0
    for name, k in writes:
        with Traced(pods, release_cooldown="0") as node:
            tracer = node.trace(name, k)
            answered = node.play()
            until(lambda node=node: node.daemon.process.poll() is not None or on_eni(node) <= {KEPT, LAST},
                  "its end")
            ended = node.daemon.process.poll()
            assert ended in (None, -signal.SIGKILL), node.daemon.tail()
            n_killed += ended is not None
            node.daemon.kill()
            tracer.wait(PATIENCE)
            tracer.stderr.close()
            try:
                check(node, answered)
            except AssertionError as error:
                raise AssertionError(f"killed before {name} {k}, answered {answered}: {error}") from error
    assert n_killed > len(writes) * 0.8, "most runs came to the end alive: nothing was tried"
