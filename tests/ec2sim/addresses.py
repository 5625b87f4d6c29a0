# SPDX-License-Identifier: Apache-2.0
"""Which addresses of a subnet are free, and whose the others are.

A pool covers one CIDR block of a subnet. AWS keeps the first four addresses
and the last one for itself, IPv6 alike. Addresses inside a CIDR reservation
are never chosen by AWS; a caller may still name one. Where AWS chooses, the
address is anywhere in the block, not the lowest, and so it is here: a client
that counts on an order must fail.
"""

import ipaddress
import random

RESERVED_FIRST = 4
RESERVED_LAST = 1


class AddressPool:
    """The holders of the addresses of one block: address -> id of its ENI."""

    def __init__(self, network, rng: random.Random):
        self.network = network
        self.excluded: list = []
        self.holders: dict = {}
        self.delegated: dict = {}   # prefix -> id of its ENI
        self._rng = rng

    def first(self) -> int:
        return int(self.network.network_address) + RESERVED_FIRST

    def last(self) -> int:
        """The highest address that may be used."""
        return int(self.network.broadcast_address) - RESERVED_LAST

    def is_reserved(self, address) -> bool:
        """Whether AWS keeps @address, which lies in the block, for itself."""
        return not self.first() <= int(address) <= self.last()

    def available(self) -> int:
        """Addresses nobody holds; those in a reservation are kept from AWS's choice, not used."""
        return self.last() - self.first() + 1 - len(self.holders) - \
            sum(prefix.num_addresses for prefix in self.delegated)

    def is_held(self, address) -> bool:
        """Whether an ENI holds @address, by itself or in a prefix delegated to it."""
        return address in self.holders or any(address in prefix for prefix in self.delegated)

    def _excluding(self, number: int):
        for block in (*self.excluded, *self.delegated):
            if int(block.network_address) <= number <= int(block.broadcast_address):
                return block
        return None

    def choose(self, count: int, taken=()) -> list:
        """
        Choose free addresses, without taking them yet.
        @taken: addresses spoken for by the same request
        Return: up to @count addresses; fewer when the block is full.
        """
        chosen: list = []
        avoid = {int(address) for address in taken}
        for _ in range(count):
            number = self._free_from(self._rng.randint(self.first(), self.last()), avoid)
            if number is None:
                break
            avoid.add(number)
            chosen.append(type(self.network.network_address)(number))
        return chosen

    def _free_from(self, start: int, avoid: set):
        """The first free number at or after @start, going round once; or None."""
        number, wrapped = start, False
        while True:
            if number > self.last():
                if wrapped:
                    return None
                number, wrapped = self.first(), True
            if wrapped and number >= start:
                return None
            block = self._excluding(number)
            if block:
                number = int(block.broadcast_address) + 1
            elif number in avoid or type(self.network.network_address)(number) in self.holders:
                number += 1
            else:
                return number

    def take(self, address, eni_id: str) -> None:
        """Give @address to an ENI; it must be free."""
        assert address in self.network and address not in self.holders, address
        self.holders[address] = eni_id

    def release(self, address) -> None:
        """Make @address free again; it must be held."""
        del self.holders[address]


def parse_ipv4(value: str):
    """An address as AWS writes it, or None."""
    try:
        return ipaddress.IPv4Address(value)
    except ValueError:
        return None


def parse_ipv6(value: str):
    """An address in any of the ways IPv6 can be written, or None."""
    try:
        return ipaddress.IPv6Address(value)
    except ValueError:
        return None
