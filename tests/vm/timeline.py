# SPDX-License-Identifier: Apache-2.0
"""A boot as the guest's journal tells it: the units around the daemon, devices, what the daemon says."""

#: systemd's own ids for "Starting ...", "Started ..." and "Finished ..."
_STARTING, _STARTED = "7d4958e842da4a758f6c1cdc7b36dcc5", "39f53479d3a045ac8e11786248231fbf"
_UNITS = ("systemd-udevd.service", "systemd-networkd.service", "nodeadm-boot-hook.service",
          "systemd-networkd-wait-online.service", "nodeadm-config.service", "cloud-init.service",
          "cloud-final.service", "multus-eksd.service", "nodeadm-run.service", "kubelet.service")
_FIELDS = "MESSAGE,MESSAGE_ID,UNIT,PRIORITY,SYSLOG_IDENTIFIER,_TRANSPORT,_SOURCE_MONOTONIC_TIMESTAMP"


def _who(entry) -> str:
    """Which column an entry is for; "" is left out."""
    source, message = entry.get("SYSLOG_IDENTIFIER", ""), str(entry["MESSAGE"])
    if source == "multus-eksd" and int(entry["PRIORITY"]) <= 6:
        return "daemon"
    if source == "systemd" and entry.get("MESSAGE_ID") in (_STARTING, _STARTED) and \
            entry.get("UNIT") in _UNITS:
        return "systemd"
    if entry["_TRANSPORT"] == "kernel" and "renamed from" in message:
        return "kernel"
    return ""


def timeline(guest, title) -> list:
    """The lines to print, with seconds since the kernel has started."""
    rows = []
    for entry in guest.journal(f"--output-fields={_FIELDS}"):
        who = _who(entry)
        if who:
            stamp = entry.get("_SOURCE_MONOTONIC_TIMESTAMP", entry["__MONOTONIC_TIMESTAMP"])
            rows.append((int(stamp), who, entry["MESSAGE"]))
    return ["", title] + [f"{stamp / 1e6:8.3f} s  {who:7}  {text}" for stamp, who, text in sorted(rows)]
