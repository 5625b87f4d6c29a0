# SPDX-License-Identifier: Apache-2.0
"""What the dispatcher knows of an action, and what an action knows of its caller."""

from dataclasses import dataclass, field
from typing import Callable


@dataclass(frozen=True)
class Action:
    """
    One API action.
    @handler: (world, caller, params) -> data for the reply; raises AwsError
    @mutating: which of EC2's kinds of token bucket it draws from
    @dry_run: takes DryRun
    """

    name: str
    schema: dict
    handler: Callable
    mutating: bool
    dry_run: bool


@dataclass
class Caller:
    """
    Who signed the request; @instance_id is None for an operator's key.
    @denied: permissions taken from the role
    @policy: all that the role may do (iam.Policy); None: everything
    """

    account_id: str = "123456789012"
    role_name: str = "operator"
    instance_id: str = None
    denied: set = field(default_factory=set)
    policy: object = None
