# SPDX-License-Identifier: Apache-2.0
"""What every fault has to come to, whatever it was.

It ends in one entry of the right message id that names what a person needs; the
verdict follows the policy; nothing is left in EC2 that nobody owns; and once
the cause is removed, the next run is ready.
"""

from harness import NETWORKS, leaked, message_ids, multus_enis

NAMES = ["eth1", "eth2", "eth3"]
POLICIES = ["block", "continue"]
IDS = message_ids()


def settings(config=NETWORKS, **daemon) -> str:
    """A configuration with lines of its [daemon] section."""
    return "[daemon]\n" + "".join(f"{key} = {value}\n" for key, value in daemon.items()) + config


def owned(region) -> None:
    """Nothing is available, nothing of ours would outlive its instance."""
    assert leaked(region) == []
    assert [e["id"] for e in multus_enis(region) if not e["attachment"]["delete_on_termination"]] == []


def told(daemon, message, *words) -> None:
    """One entry of @message has all @words; no two entries of the boot's end say the same."""
    entries = [e["MESSAGE"] for e in daemon.log(IDS[message])]
    assert any(all(word in entry for word in words) for entry in entries), (message, words, daemon.tail())
    texts = daemon.errors()
    for text in texts:
        assert [other for other in texts if text in other] == [text], daemon.tail()


def verdict(daemon, policy, up, during=lambda: None, code=1) -> None:
    """
    Start, and see the boot fail as @policy says.
    @up: the interfaces that are up all the same; None: whichever
    @during: called once it runs
    @code: its exit status
    """
    daemon.start()
    during()
    if policy == "block":
        assert daemon.wait_exit() == code
        assert "READY" not in daemon.notified
        assert daemon.notified["STATUS"].startswith("Failed: ")
        assert len(daemon.log(IDS["BOOT_FAILED"])) == 1
        return
    status = daemon.wait_ready()
    assert status["phase"] == "degraded" and status["error"]
    assert up is None or [i["name"] for i in status["interfaces"] if i["state"] == "up"] == up
    assert all(i["error"] for i in status["interfaces"] if i["state"] == "failed")
    assert len(daemon.log(IDS["BOOT_DEGRADED"])) == 1
    assert daemon.stop() == 0


def runs_out_of_time(daemon, policy, word, **more) -> None:
    """
    A boot that tries again until boot_timeout ends it, as short a one as the machine allows: with more time,
    if in what it had no try came to its end.
    @word: of the debug entry about a try
    """
    for seconds in (1, 4, 16):
        daemon.configure(settings(on_failure=policy, boot_timeout=f"{seconds}s", attach_timeout="1s", **more),
                         daemon.aws)
        verdict(daemon, policy, [])
        if any(word in e["MESSAGE"] for e in daemon.log() if e["PRIORITY"] == "7"):
            return
    raise AssertionError(f"no try said {word}\n{daemon.tail()}")


def ready(region, daemon, names=NAMES) -> None:
    """A boot that nothing disturbs any more."""
    daemon.start()
    status = daemon.wait_ready()
    assert status["phase"] == "ready"
    assert [i["name"] for i in status["interfaces"]] == names
    links = region.node.links()
    for eni, name in zip(sorted(multus_enis(region), key=lambda e: e["tags"]["multus-eks:network"]), names):
        assert links[name]["address"] == eni["mac"] and "UP" in links[name]["flags"]
    owned(region)
    assert daemon.stop() == 0
