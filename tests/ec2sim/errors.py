# SPDX-License-Identifier: Apache-2.0
"""The one way in which an action fails.

Whoever finds a fault in a request raises AwsError with AWS's own code; the
dispatcher alone turns it into a reply. Nothing of the world may have changed
when it is raised: every action checks first and acts afterwards.
"""


class AwsError(Exception):
    """A refusal with AWS's error code, a text for people, the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_value(message: str) -> AwsError:
    """The code EC2 uses wherever it has no better one."""
    return AwsError("InvalidParameterValue", message)


def combination(message: str) -> AwsError:
    """Parameters that are each right but not together."""
    return AwsError("InvalidParameterCombination", message)
