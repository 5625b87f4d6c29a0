# SPDX-License-Identifier: Apache-2.0
"""A short run of the soak: some episodes of random operations over three nodes, the same every time."""

from soak.pods import is_macvlan_there
from soak.run import Soak

SEEDS = range(1, 4)


def test_soak(tmp_path):
    told = []
    with Soak(str(tmp_path), is_macvlan_there(), told.append, minimise_seconds=60) as soak:
        for seed in SEEDS:
            assert soak.episode(seed), "\n".join(told)
    assert soak.n_steps > 60
