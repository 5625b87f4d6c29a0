# SPDX-License-Identifier: Apache-2.0
"""The shortest sequence that still fails: delta debugging.

Pure but for the clock: what fails is asked of a function, as often as time is
left. First runs of steps are left out, long ones first (Zeller and Hildebrandt's
ddmin), then parts of the steps that remain, until neither helps any more.
"""


class _Budget(Exception):
    """No time is left."""


class Minimiser:
    """
    @fails: whether a list of steps fails
    @smaller: of one step, those that are simpler
    @may_go_on: whether there is time for one more try
    """

    def __init__(self, fails, smaller, may_go_on):
        self._fails, self._smaller, self._may_go_on = fails, smaller, may_go_on
        self.n_tries = 0

    def minimise(self, steps) -> list:
        """The shortest list found; @steps itself fails."""
        self._best = list(steps)
        try:
            while self._leave_out() | self._simplify():
                pass
        except _Budget:
            pass
        return self._best

    def _try(self, steps) -> bool:
        """Whether it fails too; it is the best then."""
        if not self._may_go_on():
            raise _Budget
        self.n_tries += 1
        if not self._fails(steps):
            return False
        self._best = steps
        return True

    def _leave_out(self) -> bool:
        """Runs of steps, half of all at first, then shorter ones."""
        changed, size = False, max(len(self._best) // 2, 1)
        while size >= 1:
            # from the end: what comes last is needed least for what comes before
            start = len(self._best) - size
            while start > -size and len(self._best) > 1:
                begin = max(start, 0)
                if self._try(self._best[:begin] + self._best[begin + size:]):
                    changed = True
                start -= size
            size //= 2
        return changed

    def _simplify(self) -> bool:
        changed, i = False, 0
        while i < len(self._best):
            if any(self._try([*self._best[:i], step, *self._best[i + 1:]])
                   for step in self._smaller(self._best[i])):
                changed = True
            else:
                i += 1
        return changed
