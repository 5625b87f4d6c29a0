# SPDX-License-Identifier: Apache-2.0
"""Episode after episode, and what to do about one that fails.

It is run again without more and more of its steps, each time in a new world,
until the time for that is over; what is left is printed, and written to a file
that can be run again.
"""

import os
import shutil
import sys
import tempfile
import time

from . import steps
from .minimise import Minimiser
from .world import World

N_STEPS = 40


class Soak:
    """
    A context manager; its world goes on from one episode to the next.
    @output: directory of the files about a failure
    @tell: called with what there is to say of one
    @minimise_seconds: for the search for a shorter sequence; 0: none
    """

    def __init__(self, output, with_pods, tell=print, minimise_seconds=300.0):
        self._output, self._with_pods, self._minimise_seconds = output, with_pods, minimise_seconds
        self._tell = tell
        self._world = self._directory = None
        self.n_steps = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self._leave(exception)

    def _enter(self) -> World:
        if self._world is None:
            self._directory = tempfile.mkdtemp(prefix="multus-eks-soak-")
            self._world = World(self._directory, self._with_pods).__enter__()
        return self._world

    def _leave(self, exception=(None, None, None)) -> None:
        world, self._world = self._world, None
        if world is not None:
            try:
                world.__exit__(*exception)
            finally:
                shutil.rmtree(self._directory, ignore_errors=True)

    def _try(self, sequence):
        """What is not as it must be, and what the world has to say of it; None: nothing."""
        world = self._enter()
        try:
            world.run(sequence)
        except AssertionError as error:
            found = f"{world.at}: {error}", world.report()
            self._leave(sys.exc_info())
            return found
        except BaseException:
            self._leave(sys.exc_info())
            raise
        return None

    def episode(self, seed) -> bool:
        """One from its seed. Return: whether all was as it must be."""
        return self.sequence(steps.Generator(seed).steps(N_STEPS), f"soak-{seed}",
                             f"make soak SEED={seed} SOAK_SECONDS=0")

    def sequence(self, sequence, name, again) -> bool:
        """
        Steps, one after the other.
        @name: of the files; @again: the command that does the same
        """
        self.n_steps += len(sequence)
        found = self._try(sequence)
        if found is None:
            return True
        path = self._keep(name, sequence, found)
        self._tell(f"{name}: DIVERGENCE at {found[0]}\nagain: {again}\n"
                   f"steps: {path}.steps\nlog:   {path}.log")
        if self._minimise_seconds > 0:
            self._minimise(sequence, name)
        return False

    def _minimise(self, sequence, name) -> None:
        deadline, last = time.monotonic() + self._minimise_seconds, []

        def fails(candidate) -> bool:
            found = self._try(candidate)
            if found:
                last[:] = [found]
            return found is not None

        minimiser = Minimiser(fails, steps.smaller, lambda: time.monotonic() < deadline)
        shortest = minimiser.minimise(sequence)
        if not last:
            self._tell(f"no shorter sequence failed in {minimiser.n_tries} tries")
            return
        path = self._keep(f"{name}.min", shortest, last[0])
        self._tell(f"the shortest of {minimiser.n_tries} tries has {len(shortest)} of {len(sequence)} steps, "
                   f"diverging at {last[0][0]}\n{steps.write(shortest)}"
                   f"again: make soak SOAK_OPS={path}.steps")

    def _keep(self, name, sequence, found) -> str:
        """Write files about a failure; returns their path without its end."""
        path = os.path.join(self._output, name)
        _write(f"{path}.log", "\n".join(found))
        _write(f"{path}.steps", steps.write(sequence))
        return path


def _write(path, text) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
