# SPDX-License-Identifier: Apache-2.0
"""The EC2 actions, gathered from the modules that carry them out."""

from . import ec2_addresses, ec2_describe, ec2_eni, ec2_tags

ACTIONS = {
    action.name: action
    for module in (ec2_eni, ec2_addresses, ec2_tags, ec2_describe)
    for action in module.ACTIONS
}
