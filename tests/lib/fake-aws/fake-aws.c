/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The seam under daemon/eni: what aws/call.h promises, without network and retries. A call waits until
 * the test answers it. As with the real one, the handler may free its call, and the reply outlives
 * that; a call that was freed is never answered.
 */

#include "lib/fake-aws/fake-aws.h"
#include "lib/test.h"
#include "util/buf.h"
#include <errno.h>
#include <stdio.h>

#define CALLS_MAX 1024

struct Aws {
    FakeCall calls[CALLS_MAX];
    size_t n_calls;
    AwsStatistics statistics;
    AwsOptions options;
    char texts[3][128]; /* of the options */
};

struct AwsCall {
    FakeCall *entry;
    AwsService service;
    AwsHandler handler;
    AwsAmend amend;
    void *userdata;
};

Aws *fake_aws_new(void)
{
    Aws *aws = calloc(1, sizeof(*aws));

    assert_non_null(aws);
    return aws;
}

int aws_new(Aws **ret, sd_event *event _unused_, Http *http _unused_, Credentials *credentials _unused_,
            const AwsOptions *options)
{
    const char *const texts[] = {options->region, options->endpoints[AWS_SERVICE_EC2],
                                 options->endpoints[AWS_SERVICE_AUTOSCALING]};
    Aws *aws = fake_aws_new();

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        (void)snprintf(aws->texts[i], sizeof(aws->texts[i]), "%s", texts[i]);
    aws->options = (AwsOptions){
        .region = aws->texts[0],
        .endpoints = {[AWS_SERVICE_EC2] = aws->texts[1], [AWS_SERVICE_AUTOSCALING] = aws->texts[2]},
        .request_timeout = options->request_timeout,
    };
    *ret = aws;
    return 0;
}

const AwsOptions *fake_aws_options(const Aws *aws)
{
    return &aws->options;
}

void fake_aws_forget(Aws *aws)
{
    for (size_t i = 0; i < aws->n_calls; i++) {
        if (aws->calls[i].call)
            fail_msg("a call of %s was not freed", aws->calls[i].action);
        keyvalue_list_done(&aws->calls[i].parameters);
    }
    aws->n_calls = 0;
}

Aws *aws_free(Aws *aws)
{
    if (!aws)
        return NULL;

    fake_aws_forget(aws);
    free(aws);
    return NULL;
}

int aws_call(Aws *aws, AwsQuery *query_take, usec_t deadline, unsigned flags, AwsHandler handler,
             void *userdata, AwsCall **ret)
{
    FakeCall *entry = &aws->calls[aws->n_calls++];
    AwsCall *call = calloc(1, sizeof(*call));

    assert_in_range(aws->n_calls, 1, CALLS_MAX);
    assert_non_null(call);
    *call =
        (AwsCall){.entry = entry, .service = query_take->service, .handler = handler, .userdata = userdata};
    *entry = (FakeCall){.action = query_take->action,
                        .parameters = query_take->parameters,
                        .deadline = deadline,
                        .flags = flags,
                        .call = call};
    query_take->parameters = KEYVALUE_LIST_NULL;
    *ret = call;
    return 0;
}

void aws_call_on_try(AwsCall *call, AwsAmend amend)
{
    call->amend = amend;
}

bool aws_call_is_ambiguous(const AwsCall *call)
{
    return call->entry->ambiguous;
}

const char *aws_call_trouble(const AwsCall *call)
{
    return call->entry->rests ? "no reply\nREADY=1" : NULL;
}

bool aws_call_give_up(AwsCall *call)
{
    if (!call->entry->rests)
        return false;
    call->entry->rests = false;
    call->entry->given_up = true;
    return true;
}

AwsCall *aws_call_free(AwsCall *call)
{
    if (call)
        call->entry->call = NULL;
    free(call);
    return NULL;
}

int64_t aws_clock_offset(const Aws *aws _unused_)
{
    return 0;
}

const AwsStatistics *aws_statistics(const Aws *aws)
{
    return &aws->statistics;
}

/* ------------------------------------------------------------------ the test's side */

size_t fake_aws_n(const Aws *aws)
{
    return aws->n_calls;
}

FakeCall *fake_aws_call(const Aws *aws, size_t i)
{
    assert_in_range(i, 0, aws->n_calls - 1);
    return (FakeCall *)&aws->calls[i];
}

static FakeCall *next_pending(const Aws *aws, const char *action, size_t *i)
{
    while (*i < aws->n_calls) {
        const FakeCall *call = &aws->calls[(*i)++];

        if (call->call && !call->answered && (!action || streq(call->action, action)))
            return (FakeCall *)call;
    }
    return NULL;
}

size_t fake_aws_n_pending(const Aws *aws, const char *action)
{
    size_t n = 0;

    for (size_t i = 0; next_pending(aws, action, &i);)
        n++;
    return n;
}

FakeCall *fake_aws_pending(const Aws *aws, const char *action)
{
    size_t i = 0;
    FakeCall *call = next_pending(aws, action, &i);

    if (!call)
        fail_msg("no %s is waiting for an answer", action);
    return call;
}

FakeCall *fake_aws_pending_with(const Aws *aws, const char *action, const char *key, const char *value)
{
    FakeCall *call;

    for (size_t i = 0; (call = next_pending(aws, action, &i));)
        if (streq_ptr(fake_call_get(call, key), value))
            return call;
    fail_msg("no %s with %s = %s is waiting for an answer", action, key, value);
    return NULL;
}

const char *fake_call_get(const FakeCall *call, const char *key)
{
    return keyvalue_list_get(&call->parameters, key);
}

bool fake_call_has(const FakeCall *call, const char *key, const char *value)
{
    const char *found = fake_call_get(call, key);

    if (streq_ptr(found, value))
        return true;
    print_error("%s: %s is %s instead of %s\n", call->action, key, found ? found : "absent",
                value ? value : "absent");
    return false;
}

static void call_finish(FakeCall *entry, const AwsError *error, AwsRecords *records)
{
    AwsCall *call = entry->call;
    AwsReply reply = {
        .error = error, .records = error ? NULL : records, .n_tries = 1, .ambiguous = entry->ambiguous};

    assert_non_null(call);
    assert_false(entry->answered);
    entry->answered = true;
    call->handler(&reply, call->userdata);
}

void fake_call_answer(FakeCall *call, const char *format, ...)
{
    _cleanup_aws_records_ AwsRecords records = AWS_RECORDS_NULL;
    _cleanup_buf_ Buf xml = BUF_NULL;
    _cleanup_(freep) char *inside = NULL;
    bool ec2 = call->call->service == AWS_SERVICE_EC2;
    va_list ap;

    va_start(ap, format);
    assert_true(vasprintf(&inside, format, ap) >= 0);
    va_end(ap);
    if (ec2)
        assert_int_equal(buf_printf(&xml, "<%sResponse><requestId>r-1</requestId>%s</%sResponse>",
                                    call->action, inside, call->action),
                         0);
    else
        assert_int_equal(buf_printf(&xml, "<%sResponse><%sResult>%s</%sResult></%sResponse>", call->action,
                                    call->action, inside, call->action, call->action),
                         0);
    if (aws_decode_reply(call->call->service, call->action, xml.data, xml.n, &records) < 0)
        fail_msg("not a reply of %s: %s", call->action, xml.data);
    call_finish(call, NULL, &records);
}

void fake_call_fail(FakeCall *call, const char *code, const char *message)
{
    AwsError error = {
        .class = aws_error_classify(400, code, message),
        .error = -EINVAL,
        .status = 400,
        .action = call->action,
        .code = code,
        .message = message,
        .request_id = "r-2",
        .n_tries = 1,
        .ambiguous = call->ambiguous,
    };

    call_finish(call, &error, NULL);
}

void fake_call_fail_errno(FakeCall *call, int error, const char *message)
{
    AwsError aws_error = {
        .class = AWS_ERROR_FINAL,
        .error = error,
        .action = call->action,
        .code = "",
        .message = message,
        .request_id = "",
    };

    call_finish(call, &aws_error, NULL);
}

void fake_call_rest(FakeCall *call, bool ambiguous)
{
    assert_false(call->answered);
    call->rests = true;
    call->ambiguous |= ambiguous;
}

static void fail_ended(FakeCall *call)
{
    AwsError error = {
        .class = AWS_ERROR_FINAL,
        .error = -ECANCELED,
        .action = call->action,
        .code = "",
        .message = "not wanted any more",
        .request_id = "",
        .ambiguous = call->ambiguous,
    };

    call_finish(call, &error, NULL);
}

void fake_call_end(FakeCall *call)
{
    assert_true(call->given_up);
    if (call->ambiguous)
        fake_call_lose(call);
    else
        fail_ended(call);
}

void fake_call_throttle(FakeCall *call)
{
    AwsQuery query = {0};
    usec_t deadline;

    assert_false(call->answered);
    call->rests = false;
    switch (call->call->amend ? call->call->amend(&query, &deadline, call->call->userdata)
                              : AWS_AMENDMENT_NONE) {
    case AWS_AMENDMENT_NONE: return;
    case AWS_AMENDMENT_END: fail_ended(call); return;
    case AWS_AMENDMENT_QUERY: break;
    }
    assert_false(call->ambiguous);
    assert_string_equal(call->action, query.action);
    keyvalue_list_done(&call->parameters);
    call->parameters = query.parameters;
    call->deadline = MAX(call->deadline, deadline);
}

void fake_call_lose(FakeCall *call)
{
    AwsError error = {
        .class = AWS_ERROR_TRANSIENT,
        .error = -ECONNRESET,
        .action = call->action,
        .code = "",
        .message = "no reply",
        .request_id = "",
        .n_tries = 2,
        .ambiguous = true,
    };

    call_finish(call, &error, NULL);
}
