# SPDX-License-Identifier: Apache-2.0
"""How long things take: seconds per action, `*` for all that are not named.

Besides actions there are four names of our own: `link` (from the attachment
to the device), `detach` (from the reply of Detach until the ENI is available),
`imds` (a metadata request), `imds_new_eni` (from the attachment until the
metadata service shows the ENI).
"""

NOT_ACTIONS = ("link", "detach", "imds", "imds_new_eni")

#: on AWS the guest has to let go of the device: it is never done with the reply
DETACH = 0.1


class Latency:
    """A table of seconds; 0 for everything at first, but for what cannot be."""

    def __init__(self, table: dict | None = None):
        self.table: dict = {"detach": DETACH}
        self.update(table or {})

    def update(self, table: dict) -> None:
        """Set the entries of @table, leave the others."""
        self.table.update({name: float(seconds) for name, seconds in table.items()})

    def of(self, name: str) -> float:
        default = 0.0 if name in NOT_ACTIONS else self.table.get("*", 0.0)
        return self.table.get(name, default)
