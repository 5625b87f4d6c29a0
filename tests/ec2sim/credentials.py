# SPDX-License-Identifier: Apache-2.0
"""Access keys: the operators' static ones and the temporary ones of each node.

A node's keys come from the metadata service. AWS makes new ones well before
the old end, and the old stay valid until their end: so do these.
"""

import base64
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta

OPERATOR_KEY = "AKIAIOSFODNN7EXAMPLE"
OPERATOR_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
RENEW_BEFORE = timedelta(minutes=5)


@dataclass
class Credential:
    """One access key; @token and @expires are None for an operator's."""

    key_id: str
    secret: str
    token: str | None = None
    expires: datetime | None = None
    issued: datetime | None = None
    instance_id: str | None = None
    role: str = "operator"


class Credentials:
    """Every key that was ever valid, and the current one of each node."""

    def __init__(self, clock):
        self._clock = clock
        self.lifetime = timedelta(hours=6)
        self._keys: dict = {}
        self._current: dict = {}
        self.add_operator(OPERATOR_KEY, OPERATOR_SECRET)

    def add_operator(self, key_id: str, secret: str) -> None:
        self._keys[key_id] = Credential(key_id, secret)

    def lookup(self, key_id: str):
        """The credential of that access key id, expired or not; or None."""
        return self._keys.get(key_id)

    def of_instance(self, instance) -> Credential:
        """What the metadata service hands out now."""
        current = self._current.get(instance.id)
        now = self._clock.now()
        margin = min(RENEW_BEFORE, self.lifetime / 2)
        if current is None or (now >= current.expires - margin and not self._frozen(current)):
            current = self._issue(instance.id, instance.role_name, now)
        return current

    @staticmethod
    def _frozen(credential) -> bool:
        return getattr(credential, "frozen", False)

    def _issue(self, instance_id: str, role: str, now: datetime) -> Credential:
        alphabet = string.ascii_uppercase + "234567"
        key_id = "ASIA" + "".join(secrets.choice(alphabet) for _ in range(16))
        token = base64.b64encode(secrets.token_bytes(540)).decode()
        credential = Credential(key_id, base64.b64encode(secrets.token_bytes(30)).decode(), token,
                                now + self.lifetime, now, instance_id, role)
        self._keys[key_id] = self._current[instance_id] = credential
        return credential

    def rotate(self, instance_id: str | None = None) -> None:
        """The next question of the node is answered with new keys; the old stay valid."""
        for key in [instance_id] if instance_id else list(self._current):
            self._current.pop(key, None)

    def expire(self, instance_id: str | None = None, renew: bool = True) -> None:
        """
        The keys handed out so far end now.
        @renew: False: the metadata service goes on handing out the dead ones
        """
        now = self._clock.now()
        for credential in self._keys.values():
            if credential.token and instance_id in (None, credential.instance_id):
                credential.expires = min(credential.expires, now)
                credential.frozen = not renew
