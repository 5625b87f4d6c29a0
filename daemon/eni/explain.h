#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* AWS errors in words: what failed, where, what to do; and the fields of their entries. Pure but for the log.
 */

#include "aws/call.h"
#include "util/log.h"
#include "util/macro.h"

#define N_CALL_FIELDS 3

/* What tells a failed call in an entry of the log; outlives the error. All "" where no call failed. */
typedef struct CallFields {
    char action[64];
    char code[96];
    char request_id[64];
} CallFields;

/** call_fields_init() - those of an error; of none when it is NULL. Longer texts are cut. */
void call_fields_init(CallFields *fields, const AwsError *error);

/** call_fields_put() - AWS_ACTION=, AWS_ERROR_CODE= and REQUEST_ID= for log_full(); @fields must outlive them
 */
void call_fields_put(const CallFields *fields, LogField ret_fields[static N_CALL_FIELDS]);

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
