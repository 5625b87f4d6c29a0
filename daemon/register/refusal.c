/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From EC2's errors to the socket's: which status a requester gets, and whether a refusal is the fault
 * of one address or of the call. EC2's own code and request id go with it, for AWS Support asks for them.
 */

#include "register/refusal.h"
#include <stdio.h>

static bool is_primary_elsewhere(const AwsError *error)
{
    return error->class == AWS_ERROR_FINAL && strstr(error->message, "secondary-addresses");
}

RefusalScope refusal_scope(const AwsError *error)
{
    switch (error->class) {
    case AWS_ERROR_ADDRESS_IN_USE:
    case AWS_ERROR_ADDRESS_LIMIT: return REFUSAL_SCOPE_ADDRESSES;
    case AWS_ERROR_FINAL:
        /* InvalidParameterValue and its kin speak of a parameter; OptInRequired, Blocked … do not. */
        return strncmp(error->code, "Invalid", strlen("Invalid")) == 0 ? REFUSAL_SCOPE_ADDRESSES
                                                                       : REFUSAL_SCOPE_ALL;
    case AWS_ERROR_NONE:
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_THROTTLED:
    case AWS_ERROR_EXPIRED:
    case AWS_ERROR_NOT_FOUND:
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    case AWS_ERROR_DENIED:
    default: return REFUSAL_SCOPE_ALL;
    }
}

static ProtocolError refusal_kind(const AwsError *error)
{
    switch (error->class) {
    case AWS_ERROR_ADDRESS_LIMIT:
        return (ProtocolError){507, "address_limit", "the interface holds as many addresses as it can"};
    case AWS_ERROR_ADDRESS_IN_USE:
        return (ProtocolError){409, "address_in_use", "another network interface has the address"};
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_THROTTLED: return (ProtocolError){504, "deadline", "EC2 did not do it in time"};
    case AWS_ERROR_NOT_FOUND:
        return (ProtocolError){502, "interface_gone", "EC2 does not know the network interface any more"};
    case AWS_ERROR_DENIED: return (ProtocolError){502, "ec2_denied", "the node's role lacks the permission"};
    case AWS_ERROR_FINAL:
        if (is_primary_elsewhere(error))
            return (ProtocolError){409, "reserved",
                                   "the address is the primary one of another network interface"};
        return (ProtocolError){502, "ec2_refused", "EC2 refused"};
    case AWS_ERROR_NONE:
    case AWS_ERROR_EXPIRED:
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    default: return (ProtocolError){502, "ec2_refused", "EC2 refused"};
    }
}

ProtocolError refusal_explain(const AwsError *error, char text[static REFUSAL_TEXT])
{
    ProtocolError result = refusal_kind(error);

    (void)snprintf(text, REFUSAL_TEXT, "%s: %s%s%s", result.message, error->action,
                   error->message[0] ? ": " : "", error->message);
    result.message = text;
    result.ec2_code = error->code[0] ? error->code : NULL;
    result.ec2_request_id = error->request_id[0] ? error->request_id : NULL;
    return result;
}
