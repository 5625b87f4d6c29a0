# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor, on the running loop.

One connection, many commands at once: each has a number that its reply bears.
Everything that can go wrong with QEMU is an OSError here, its end included.
"""

import asyncio
import itertools
import json


class Qmp:
    """A connection; made by open()."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._commands: dict = {}
        self._events: list = []
        self._task: asyncio.Task | None = None
        self._over = ""

    @classmethod
    async def open(cls, path: str) -> "Qmp":
        """Connect to the monitor's socket and leave its negotiation mode."""
        qmp = cls(*await asyncio.open_unix_connection(path))
        await qmp._reader.readline()
        qmp._task = asyncio.get_running_loop().create_task(qmp._read())
        await qmp.execute("qmp_capabilities")
        return qmp

    async def execute(self, command: str, **arguments):
        """Run a command; returns its result. Underscores are dashes in the names of arguments."""
        if self._over:
            raise OSError(self._over)
        number = next(self._numbers)
        done = asyncio.get_running_loop().create_future()
        self._commands[number] = done
        line = {"execute": command, "id": number,
                "arguments": {name.replace("_", "-"): v for name, v in arguments.items()}}
        self._writer.write(json.dumps(line).encode() + b"\n")
        return await done

    def expect(self, event: str, **data) -> asyncio.Future:
        """What comes with the next @event that has @data; ask before that which causes it."""
        done = asyncio.get_running_loop().create_future()
        self._events.append((event, data, done))
        return done

    def close(self) -> None:
        """End the connection; what waits fails."""
        self._task.cancel()
        self._writer.close()
        self._fail("the connection to QEMU was closed")

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (OSError, ValueError) as error:
            self._fail(f"QEMU: {error}")
        self._fail("QEMU has ended")

    def _take(self, message: dict) -> None:
        done = self._commands.pop(message.get("id"), None)
        if done is not None and not done.done():
            if "error" in message:
                done.set_exception(OSError(message["error"]["desc"]))
            else:
                done.set_result(message["return"])
        for waiting in list(self._events):
            event, data, done = waiting
            told = message.get("data", {})
            if message.get("event") == event and data.items() <= told.items():
                self._events.remove(waiting)
                if not done.done():
                    done.set_result(told)

    def _fail(self, reason: str) -> None:
        self._over = self._over or reason
        waiting = [*self._commands.values(), *(done for _, _, done in self._events)]
        self._commands.clear()
        self._events.clear()
        for done in waiting:
            if not done.done():
                done.set_exception(OSError(reason))
