#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What an AWS error means, how long to wait, how fast to call. Pure: the time and the chance are arguments.
 */

#include "util/macro.h"
#include "util/time.h"

/* What to do about an error. The table is in retry.c, with its sources. */
typedef enum AwsErrorClass {
    AWS_ERROR_NONE,
    AWS_ERROR_TRANSIENT, /* 5xx, connection lost, garbage: again after a pause */
    AWS_ERROR_THROTTLED, /* RequestLimitExceeded, Throttling …: again, and slower */
    AWS_ERROR_EXPIRED, /* ExpiredToken, RequestExpired, AuthFailure …: new credentials or a new clock, then
                          again */
    AWS_ERROR_NOT_FOUND,      /* Invalid…ID.NotFound: eventual consistency for what we just made */
    AWS_ERROR_ADDRESS_IN_USE, /* InvalidIPAddress.InUse, PrivateIpAddressInUse …: take the next address */
    AWS_ERROR_INDEX_IN_USE,   /* device index taken: look who has it */
    AWS_ERROR_ENI_IN_USE,     /* InvalidNetworkInterface.InUse: already attached: look to whom */
    AWS_ERROR_ADDRESS_LIMIT,  /* PrivateIpAddressLimitExceeded */
    AWS_ERROR_ATTACH_LIMIT,   /* AttachmentLimitExceeded */
    AWS_ERROR_SUBNET_FULL,    /* InsufficientFreeAddressesInSubnet */
    AWS_ERROR_DENIED,         /* UnauthorizedOperation, AccessDenied */
    AWS_ERROR_FINAL,          /* anything else: the request itself is wrong */
} AwsErrorClass;

/* Token bucket of one action, after EC2's own; halves its rate when EC2 says RequestLimitExceeded. */
typedef struct AwsBucket {
    double tokens;
    double rate; /* tokens a second; recovers to rate_full with every success */
    double rate_full;
    double size; /* tokens at most */
    usec_t at;   /* when tokens was last brought up to date; 0: full */
} AwsBucket;

/**
 * aws_error_classify() - class of an HTTP status and AWS error code
 * @code: as in <Code>, "" when there was none
 * @message: as in <Message>: tells some InvalidParameterValue apart; "" when there was none
 */
AwsErrorClass aws_error_classify(unsigned status, const char *code, const char *message);

/** aws_error_hint() - what an operator can do about a code, or NULL */
const char *aws_error_hint(const char *code);

/**
 * aws_retry_delay() - full jitter: a uniform part of min(cap, base * 2^attempt)
 * @attempt: 0 for the first repetition
 * @random: uniform over 0 … UINT32_MAX
 */
usec_t aws_retry_delay(AwsErrorClass class, unsigned attempt, uint32_t random);

/** aws_bucket_take() - when the next call may go out: now, or later; takes the token */
usec_t aws_bucket_take(AwsBucket *bucket, bool mutating, usec_t now);

/** aws_bucket_give_back() - the call does not go out */
void aws_bucket_give_back(AwsBucket *bucket);

/** aws_bucket_throttled() - EC2 refused for rate: halve */
void aws_bucket_throttled(AwsBucket *bucket, usec_t now);

/** aws_bucket_succeeded() - recover */
void aws_bucket_succeeded(AwsBucket *bucket, usec_t now);
