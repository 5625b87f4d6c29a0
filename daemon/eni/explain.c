/* SPDX-License-Identifier: Apache-2.0 */

/*
 * AWS errors in words. The code and message of AWS come first, since that is what a search finds;
 * then the request id, which AWS's support asks for; then what an operator can do.
 */

#include "eni/explain.h"
#include "util/buf.h"
#include "util/message-ids.h"
#include <stdio.h>

/* What follows is a kilobyte for "aws sts decode-authorization-message", which nobody reads in a log. */
static int message_length(const char *message)
{
    const char *encoded = strstr(message, " Encoded authorization failure message");

    return encoded ? (int)(encoded - message) : (int)strlen(message);
}

void call_fields_init(CallFields *fields, const AwsError *error)
{
    *fields = (CallFields){0};
    if (!error)
        return;
    (void)snprintf(fields->action, sizeof(fields->action), "%s", error->action);
    (void)snprintf(fields->code, sizeof(fields->code), "%s", error->code);
    (void)snprintf(fields->request_id, sizeof(fields->request_id), "%s", error->request_id);
}

void call_fields_put(const CallFields *fields, LogField ret_fields[static N_CALL_FIELDS])
{
    ret_fields[0] = (LogField){"AWS_ACTION", fields->action[0] ? fields->action : NULL};
    ret_fields[1] = (LogField){"AWS_ERROR_CODE", fields->code[0] ? fields->code : NULL};
    ret_fields[2] = (LogField){"REQUEST_ID", fields->request_id[0] ? fields->request_id : NULL};
}

char *explain_error(const AwsError *error, const char *what)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    const char *hint = aws_error_hint(error->code);
    int r;

    r = buf_printf(&text, "%s: %s%s%s%s%.*s", what, error->action, error->action[0] ? ": " : "", error->code,
                   error->code[0] ? ": " : "", message_length(error->message), error->message);
    if (r == 0 && error->request_id[0])
        r = buf_printf(&text, " (request %s", error->request_id);
    if (r == 0 && error->n_tries > 1)
        r = buf_printf(&text, "%s%u tries", error->request_id[0] ? "; " : " (", error->n_tries);
    if (r == 0 && (error->request_id[0] || error->n_tries > 1))
        r = buf_putc(&text, ')');
    if (r == 0 && hint)
        r = buf_printf(&text, ". %s", hint);

    return r < 0 ? NULL : buf_take(&text);
}

const char *explain_message_id(const AwsError *error)
{
    switch (error->class) {
    case AWS_ERROR_DENIED: return MESSAGE_AWS_DENIED;
    case AWS_ERROR_THROTTLED: return MESSAGE_AWS_THROTTLED;
    case AWS_ERROR_EXPIRED: /* it may be the credentials as well */
        if (streq(error->code, "RequestTimeTooSkewed") || streq(error->code, "RequestInTheFuture"))
            return MESSAGE_CLOCK_SKEW;
        break;
    case AWS_ERROR_NONE:
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_NOT_FOUND:
    case AWS_ERROR_ADDRESS_IN_USE:
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE:
    case AWS_ERROR_ADDRESS_LIMIT:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    case AWS_ERROR_FINAL: break;
    }
    return MESSAGE_AWS_CALL_FAILED;
}

void explain_log(int level, const AwsError *error, const char *what)
{
    _cleanup_(freep) char *text = explain_error(error, what);
    LogField fields[N_CALL_FIELDS];
    CallFields call;

    call_fields_init(&call, error);
    call_fields_put(&call, fields);
    log_full(level, error->error, explain_message_id(error), fields, ARRAY_SIZE(fields), "%s",
             text ? text : what);
}
