#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Stands in for daemon/aws/call.c: keeps the calls, and lets the test answer them in any order. */

#include "aws/call.h"

/* One call that was made. Lives as long as the fake, or until fake_aws_forget(). */
typedef struct FakeCall {
    const char *action;
    KeyValueList parameters;
    usec_t deadline;
    unsigned flags;
    AwsCall *call; /* NULL: freed */
    bool answered;
    bool rests;     /* fake_call_rest() */
    bool ambiguous; /* one that rested may have been carried out */
    bool given_up;  /* by aws_call_give_up(): fake_call_end() tells it */
} FakeCall;

/** fake_aws_new() - instead of aws_new(); aws_free() fails the test when a call was not freed */
Aws *fake_aws_new(void);

/** fake_aws_options() - what aws_new() was told */
const AwsOptions *fake_aws_options(const Aws *aws);

/** fake_aws_n() - calls made so far */
size_t fake_aws_n(const Aws *aws);

/** fake_aws_forget() - forget all calls, none of which may wait: for tests with very many */
void fake_aws_forget(Aws *aws);

/** fake_aws_call() - the i-th call made */
FakeCall *fake_aws_call(const Aws *aws, size_t i);

/** fake_aws_n_pending() - calls of that action (NULL: any) that wait for an answer */
size_t fake_aws_n_pending(const Aws *aws, const char *action);

/** fake_aws_pending() - the oldest call of that action that waits for an answer; fails the test without */
FakeCall *fake_aws_pending(const Aws *aws, const char *action);

/** fake_aws_pending_with() - likewise, the oldest one with that parameter */
FakeCall *fake_aws_pending_with(const Aws *aws, const char *action, const char *key, const char *value);

/** fake_call_get() - a parameter, or NULL */
const char *fake_call_get(const FakeCall *call, const char *key);

/** fake_call_has() - whether a parameter has that value; what it has is printed when not */
bool fake_call_has(const FakeCall *call, const char *key, const char *value);

/** fake_call_answer() - with the XML inside of the action's response, decoded by the real decoder */
void fake_call_answer(FakeCall *call, const char *format, ...) _printf_(2, 3);

/** fake_call_fail() - with AWS's error, classified by the real table */
void fake_call_fail(FakeCall *call, const char *code, const char *message);

/** fake_call_fail_errno() - before anything was sent */
void fake_call_fail_errno(FakeCall *call, int error, const char *message);

/** fake_call_throttle() - sent again, amended or not; it goes on waiting */
void fake_call_throttle(FakeCall *call);

/** fake_call_rest() - a try has failed and the next is yet to be made; ambiguous: it may have been carried
 * out */
void fake_call_rest(FakeCall *call, bool ambiguous);

/** fake_call_end() - what was given up meanwhile fails */
void fake_call_end(FakeCall *call);

/** fake_call_lose() - no reply; whether it was carried out is unknown */
void fake_call_lose(FakeCall *call);
