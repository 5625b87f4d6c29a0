#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* AWS errors in words: what failed, where, what to do. Pure. */

#include "aws/call.h"
#include "util/macro.h"

/**
 * explain_error() - one or two sentences about a call that failed for good
 * @what: what it was for, such as "creating the network interface of eth1 in subnet-a"
 *
 * "WHAT: ACTION: CODE: MESSAGE (request ID; N tries). HINT"
 *
 * Return: the text, freed by the caller; NULL when out of memory.
 */
char *explain_error(const AwsError *error, const char *what);

/** explain_message_id() - the MESSAGE_ID of message-ids.h that fits the error */
const char *explain_message_id(const AwsError *error);

/** explain_log() - write it to the log with the fields of the call; once, by the stage that decides */
void explain_log(int level, const AwsError *error, const char *what);
