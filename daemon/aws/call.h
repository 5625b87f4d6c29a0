#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* One call of an AWS service: build, sign, send, decode, retry. */

#include "aws/codec.h"
#include "aws/credentials.h"
#include "aws/records.h"
#include "aws/retry.h"
#include "io/http.h"
#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Aws Aws;
typedef struct AwsCall AwsCall;

/* Strings are copied. */
typedef struct AwsOptions {
    const char *region;
    const char *endpoints[_AWS_SERVICE_MAX]; /* "https://ec2.eu-west-1.amazonaws.com" */
    usec_t request_timeout;                  /* of one try */
} AwsOptions;

/* Why a call failed for good. Strings are never NULL. */
typedef struct AwsError {
    AwsErrorClass class;
    int error;       /* negative errno nearest to it, for ERRNO= */
    unsigned status; /* HTTP status, 0 when none came */
    const char *action;
    const char *code; /* AWS's, "" when none came */
    const char *message;
    const char *request_id;
    unsigned n_tries;
    bool ambiguous; /* some try may have been carried out without its reply reaching us */
} AwsError;

typedef struct AwsReply {
    const AwsError *error; /* NULL: it worked */
    AwsRecords *records;   /* with error NULL; the handler may take things out of it */
    unsigned n_tries;
    bool ambiguous; /* as above: an earlier try may have done it as well */
    usec_t elapsed; /* from aws_call() on */
} AwsReply;

typedef void (*AwsHandler)(const AwsReply *reply, void *userdata);

typedef enum AwsCallFlags {
    AWS_CALL_RETRY_NOT_FOUND =
        1 << 0, /* *.NotFound is retried for 60 s: what we just created, EC2 may not know yet */
    AWS_CALL_NO_BLIND_RETRY =
        1 << 1, /* when a reply was lost, report it (ambiguous) and let the caller look first */
} AwsCallFlags;

/* What becomes of a call that is about to be tried. */
typedef enum AwsAmendment {
    AWS_AMENDMENT_NONE,
    AWS_AMENDMENT_QUERY, /* it asks for something else, of the same action */
    AWS_AMENDMENT_END,   /* it fails with -ECANCELED, for nobody wants it any more */
} AwsAmendment;

/*
 * Asked before each try. When an earlier one may have been carried out, nothing else can be asked for.
 * ret: with AWS_AMENDMENT_QUERY, what to ask for; ret_deadline: CLOCK_MONOTONIC, if later than the one
 * before.
 */
typedef AwsAmendment (*AwsAmend)(AwsQuery *ret, usec_t *ret_deadline, void *userdata);

/* Counters for status and metrics. */
typedef struct AwsStatistics {
    uint64_t n_calls;     /* HTTP requests sent, repetitions included */
    uint64_t n_mutating;  /* of these, actions that change something */
    uint64_t n_throttled; /* RequestLimitExceeded and its kin */
    uint64_t n_retried;
} AwsStatistics;

/**
 * aws_new() - a session: endpoints, signing, retry, pacing, clock offset
 *
 * The objects passed must outlive it. Nothing is sent. When a reply shows that our clock is more
 * than a minute off (RequestExpired, SignatureDoesNotMatch, RequestTimeTooSkewed with a far Date),
 * later signatures carry the server's time; see aws_clock_offset().
 */
int aws_new(Aws **ret, sd_event *event, Http *http, Credentials *credentials, const AwsOptions *options);
Aws *aws_free(Aws *aws);

/**
 * aws_call() - start a call
 * @query_take: emptied: the call owns the parameters from now on, also on failure
 * @deadline: CLOCK_MONOTONIC; transient errors and throttling are retried until then
 * @flags: AwsCallFlags
 * @handler: called exactly once from the loop, never from inside this call, unless the call is freed before
 * @ret: owned by the caller; must be freed also after the handler was called (inside it is fine); freeing
 * cancels
 *
 * Describe actions follow NextToken to the end; the records of all pages come at once.
 *
 * Return: 0, -ENOMEM.
 */
int aws_call(Aws *aws, AwsQuery *query_take, usec_t deadline, unsigned flags, AwsHandler handler,
             void *userdata, AwsCall **ret);
AwsCall *aws_call_free(AwsCall *call);

/** aws_call_on_try() - amend is asked before each try from now on, with the userdata of the handler */
void aws_call_on_try(AwsCall *call, AwsAmend amend);

/** aws_call_is_ambiguous() - whether a try so far may have been carried out, though nothing says so */
bool aws_call_is_ambiguous(const AwsCall *call);

/** aws_call_trouble() - what the last try failed with, NULL: no trouble so far; valid until the next */
const char *aws_call_trouble(const AwsCall *call);

/**
 * aws_call_give_up() - make no other try: the call fails with the error of the last one, or with -ECANCELED
 * when none can have been carried out
 *
 * Return: false, and nothing is done, while a try is under way.
 */
bool aws_call_give_up(AwsCall *call);

/** aws_clock_offset() - server's clock minus ours in microseconds, 0 until it mattered */
int64_t aws_clock_offset(const Aws *aws);

/**
 * aws_clock_difference() - server's clock minus ours at the last reply, in microseconds; 0 before the first
 *
 * By the reply's Date header: good to a second, and late by what the reply took.
 */
int64_t aws_clock_difference(const Aws *aws);

/** aws_statistics() - counters since aws_new() */
const AwsStatistics *aws_statistics(const Aws *aws);

DEFINE_CLEANUP(Aws, aws_free)
DEFINE_CLEANUP(AwsCall, aws_call_free)
