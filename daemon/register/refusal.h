#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What a failed EC2 call means for those who asked. Pure. */

#include "aws/call.h"
#include "register/protocol.h"

#define REFUSAL_TEXT 512

/* Whom a refusal concerns. */
typedef enum RefusalScope {
    REFUSAL_SCOPE_ALL,       /* the call as a whole: the interface, the role, the service */
    REFUSAL_SCOPE_ADDRESSES, /* some of the addresses: those that the message names, or unknown ones */
} RefusalScope;

/** refusal_scope() - whether splitting the batch makes sense */
RefusalScope refusal_scope(const AwsError *error);

/**
 * refusal_explain() - the answer to a request
 * @text: holds the message of the result
 */
ProtocolError refusal_explain(const AwsError *error, char text[static REFUSAL_TEXT]);
