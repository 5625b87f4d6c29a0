# SPDX-License-Identifier: Apache-2.0
"""ec2sim: one simulated AWS region for tests, demo and benchmarks.

The package is a program of its own (`python3 -m ec2sim`). It knows nothing
of the daemon it is tested with: what it does is what AWS's API reference says.
"""
