/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an AWS error means, how long to wait, how fast to call.
 *
 * The classes come from the EC2 API reference ("Error codes for the Amazon EC2 API", "Common client
 * errors"), the Auto Scaling API reference ("Common errors"), and the error lists of the SDKs'
 * standard retry mode. EC2 says several different things with InvalidParameterValue alone; those are
 * told apart by words of the message, which AWS does not promise: a message that is not recognised is
 * final, never retried.
 *
 * Pausing is full jitter: uniform between nothing and an exponential ceiling, which spreads nodes that
 * failed at the same moment best. Pacing is a token bucket of the size EC2 itself documents for one
 * account: a lone node never notices it, and when EC2 refuses, the rate halves, down to a floor that
 * keeps the last calls of a big launch from being late, and recovers with success.
 */

#include "aws/retry.h"

#define DELAY_EXPONENT_MAX 16u

/* Refill of EC2's buckets, calls a second and calls at once, by default ("Request throttling for the
   Amazon EC2 API"). CreateNetworkInterface has a larger one; no node needs it. */
#define MUTATING_RATE  5.0
#define MUTATING_SIZE  50.0
#define DESCRIBE_RATE  20.0
#define DESCRIBE_SIZE  100.0
#define RATE_MIN       1.0
#define RECOVERY_STEPS 8.0 /* successes from nothing to the full rate */

typedef struct ErrorRow {
    const char *code;
    AwsErrorClass class;
    const char *hint;
} ErrorRow;

static const ErrorRow error_rows[] = {
    /* Rate: EC2 uses the first; the others are what services and SDKs know. */
    {"RequestLimitExceeded", AWS_ERROR_THROTTLED,
     "the account's EC2 request rate for this Region is used up; look for other callers in CloudTrail, or "
     "ask AWS "
     "for a higher limit"},
    {"Throttling", AWS_ERROR_THROTTLED, NULL},
    {"ThrottlingException", AWS_ERROR_THROTTLED, NULL},
    {"ThrottledException", AWS_ERROR_THROTTLED, NULL},
    {"RequestThrottled", AWS_ERROR_THROTTLED, NULL},
    {"RequestThrottledException", AWS_ERROR_THROTTLED, NULL},
    {"TooManyRequestsException", AWS_ERROR_THROTTLED, NULL},
    {"EC2ThrottledException", AWS_ERROR_THROTTLED, NULL},
    {"BandwidthLimitExceeded", AWS_ERROR_THROTTLED, NULL},
    {"SlowDown", AWS_ERROR_THROTTLED, NULL},
    {"PriorRequestNotComplete", AWS_ERROR_THROTTLED, NULL},

    /* The service's own trouble. */
    {"InternalError", AWS_ERROR_TRANSIENT, NULL},
    {"InternalFailure", AWS_ERROR_TRANSIENT, NULL},
    {"InternalServerError", AWS_ERROR_TRANSIENT, NULL},
    {"Unavailable", AWS_ERROR_TRANSIENT, NULL},
    {"ServiceUnavailable", AWS_ERROR_TRANSIENT, NULL},
    {"RequestTimeout", AWS_ERROR_TRANSIENT, NULL},
    {"RequestTimeoutException", AWS_ERROR_TRANSIENT, NULL},
    /* Auto Scaling: another update of the group is under way. */
    {"ResourceContention", AWS_ERROR_TRANSIENT, NULL},

    /* Credentials or clock. */
    {"ExpiredToken", AWS_ERROR_EXPIRED, "the role's credentials have expired and IMDS gives no newer ones"},
    {"ExpiredTokenException", AWS_ERROR_EXPIRED,
     "the role's credentials have expired and IMDS gives no newer ones"},
    {"RequestExpired", AWS_ERROR_EXPIRED,
     "the role's credentials have expired and IMDS gives no newer ones, or the clock of this node is wrong: "
     "check the role, and chronyd"},
    {"RequestTimeTooSkewed", AWS_ERROR_EXPIRED, "the clock of this node is wrong; check chronyd"},
    {"RequestInTheFuture", AWS_ERROR_EXPIRED, "the clock of this node is wrong; check chronyd"},
    {"SignatureDoesNotMatch", AWS_ERROR_EXPIRED,
     "the request's signature was not accepted; check the clock (chronyd), and [aws] region and endpoints"},
    {"InvalidSignatureException", AWS_ERROR_EXPIRED,
     "the request's signature was not accepted; check the clock (chronyd), and [aws] region and endpoints"},
    {"AuthFailure", AWS_ERROR_EXPIRED,
     "AWS does not accept the role's credentials; check that the role still exists, that its Region is "
     "enabled, and "
     "the clock (chronyd)"},
    {"InvalidClientTokenId", AWS_ERROR_EXPIRED,
     "AWS does not know the role's access key; check that the role still exists and that [aws] endpoints are "
     "of the "
     "same partition"},
    {"UnrecognizedClientException", AWS_ERROR_EXPIRED,
     "AWS does not know the role's access key; check that the role still exists and that [aws] endpoints are "
     "of the "
     "same partition"},
    {"InvalidAccessKeyId", AWS_ERROR_EXPIRED, NULL},

    /* Addresses. */
    {"InvalidIPAddress.InUse", AWS_ERROR_ADDRESS_IN_USE,
     "another network interface of the subnet has the address"},
    {"InvalidIpAddress.InUse", AWS_ERROR_ADDRESS_IN_USE,
     "another network interface of the subnet has the address"},
    {"PrivateIpAddressInUse", AWS_ERROR_ADDRESS_IN_USE,
     "another network interface of the subnet has the address"},
    {"PrivateIpAddressLimitExceeded", AWS_ERROR_ADDRESS_LIMIT,
     "the interface holds as many addresses as the instance type allows; use a larger type or fewer pods"},
    {"Ipv6AddressLimitExceeded", AWS_ERROR_ADDRESS_LIMIT,
     "the interface holds as many addresses as the instance type allows; use a larger type or fewer pods"},
    {"InsufficientFreeAddressesInSubnet", AWS_ERROR_SUBNET_FULL,
     "the subnet has no free address left; delete unused network interfaces in it or use a larger subnet"},
    {"InsufficientCidrBlocks", AWS_ERROR_SUBNET_FULL,
     "the subnet has no free block of addresses left; use a larger subnet"},

    /* Attachments. */
    {"AttachmentLimitExceeded", AWS_ERROR_ATTACH_LIMIT,
     "the instance has as many network interfaces as its type allows; use a larger type, fewer networks, or "
     "limit "
     "those of the VPC CNI (MAX_ENI of aws-node)"},
    {"InvalidNetworkInterface.InUse", AWS_ERROR_ENI_IN_USE,
     "the network interface is attached to an instance"},

    /* Permissions. */
    {"UnauthorizedOperation", AWS_ERROR_DENIED,
     "the node's role lacks the permission; give it the policy that 'multus-eksctl policy' prints, and check "
     "service control policies"},
    {"AccessDenied", AWS_ERROR_DENIED,
     "the node's role lacks the permission; give it the policy that 'multus-eksctl policy' prints, and check "
     "service control policies"},
    {"AccessDeniedException", AWS_ERROR_DENIED,
     "the node's role lacks the permission; give it the policy that 'multus-eksctl policy' prints, and check "
     "service control policies"},

    /* What only a person can mend. */
    {"OptInRequired", AWS_ERROR_FINAL,
     "the account is not signed up for the service or the Region; enable it"},
    {"Blocked", AWS_ERROR_FINAL, "AWS has blocked the account; contact AWS Support"},
    {"PendingVerification", AWS_ERROR_FINAL,
     "AWS is still verifying the account; wait or contact AWS Support"},
    {"NetworkInterfaceLimitExceeded", AWS_ERROR_FINAL,
     "the account's quota of network interfaces in this Region is used up; delete unused ones or raise the "
     "quota"},
    {"SecurityGroupsPerInterfaceLimitExceeded", AWS_ERROR_FINAL,
     "more security groups than one network interface may have; list fewer in security_groups"},
    {"SecurityGroupLimitExceeded", AWS_ERROR_FINAL,
     "more security groups than one network interface may have; list fewer in security_groups"},
    {"TagLimitExceeded", AWS_ERROR_FINAL, "more than 50 tags; list fewer in interface_tags"},
    {"InvalidSubnetID.NotFound", AWS_ERROR_NOT_FOUND,
     "there is no such subnet in this Region; check subnets in the configuration and the tags"},
    {"InvalidSubnetId.NotFound", AWS_ERROR_NOT_FOUND,
     "there is no such subnet in this Region; check subnets in the configuration and the tags"},
    {"SubnetNotFound", AWS_ERROR_NOT_FOUND,
     "there is no such subnet in this Region; check subnets in the configuration and the tags"},
    {"InvalidGroup.NotFound", AWS_ERROR_NOT_FOUND,
     "there is no such security group in the subnet's VPC; check security_groups in the configuration and "
     "the tags"},
    {"InvalidSecurityGroupID.NotFound", AWS_ERROR_NOT_FOUND,
     "there is no such security group in the subnet's VPC; check security_groups in the configuration and "
     "the tags"},
    {"InvalidNetworkInterfaceID.NotFound", AWS_ERROR_NOT_FOUND,
     "the network interface does not exist (any more)"},
    {"InvalidInstanceID.NotFound", AWS_ERROR_NOT_FOUND,
     "EC2 does not know this instance; check [aws] region and ec2_endpoint"},
    {"InvalidAttachmentID.NotFound", AWS_ERROR_NOT_FOUND, "the attachment does not exist (any more)"},
    {"IdempotentParameterMismatch", AWS_ERROR_FINAL,
     "the same client token was used for another request; the configuration changed while one was under way"},
    {"InvalidParameterCombination", AWS_ERROR_FINAL, "EC2 refuses the combination; its message names what"},
    {"UnsupportedOperation", AWS_ERROR_FINAL, "EC2 does not support it for this instance type or subnet"},
};

/* Errors that only their message tells apart. */
static const struct {
    const char *code;
    const char *words;
    AwsErrorClass class;
} message_rows[] = {
    {"InvalidParameterValue", "interface attached at device index", AWS_ERROR_INDEX_IN_USE},
    {"InvalidParameterValue", "move is not allowed", AWS_ERROR_ADDRESS_IN_USE}, /* AllowReassignment=false */
    {"InvalidParameterValue", "already assigned", AWS_ERROR_ADDRESS_IN_USE},
    {"InvalidParameterValue", "already in use", AWS_ERROR_ADDRESS_IN_USE},
    {"InvalidParameterValue", "ddress is in use", AWS_ERROR_ADDRESS_IN_USE},
    {"InvalidParameterValue", "reserved address",
     AWS_ERROR_ADDRESS_IN_USE}, /* first four and last of a subnet */
    {"InvalidParameterValue", "is reserved", AWS_ERROR_ADDRESS_IN_USE},
    /* An instance that has only just started is not "running" for every part of EC2 yet. */
    {"IncorrectState", "running", AWS_ERROR_TRANSIENT},
    {"IncorrectInstanceState", "running", AWS_ERROR_TRANSIENT},
    {"InvalidParameterValue", "is not in a valid state", AWS_ERROR_TRANSIENT},
};

static const ErrorRow *error_row(const char *code)
{
    for (size_t i = 0; i < ARRAY_SIZE(error_rows); i++)
        if (streq(error_rows[i].code, code))
            return &error_rows[i];
    return NULL;
}

static bool has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), n_suffix = strlen(suffix);

    return n >= n_suffix && streq(s + n - n_suffix, suffix);
}

AwsErrorClass aws_error_classify(unsigned status, const char *code, const char *message)
{
    const ErrorRow *row;

    if (status >= 200 && status < 300 && !code[0])
        return AWS_ERROR_NONE;

    row = error_row(code);
    if (row)
        return row->class;
    for (size_t i = 0; i < ARRAY_SIZE(message_rows); i++)
        if (streq(message_rows[i].code, code) && strstr(message, message_rows[i].words))
            return message_rows[i].class;
    if (has_suffix(code, ".NotFound"))
        return AWS_ERROR_NOT_FOUND;

    /* Without a code of its own it is the status that speaks; 429 and 5xx may come from a proxy. */
    if (status == 429)
        return AWS_ERROR_THROTTLED;
    if (status == 0 || status >= 500 || status == 408)
        return AWS_ERROR_TRANSIENT;
    if (status == 403 && !code[0])
        return AWS_ERROR_DENIED;
    return AWS_ERROR_FINAL;
}

const char *aws_error_hint(const char *code)
{
    const ErrorRow *row = error_row(code);

    return row ? row->hint : NULL;
}

usec_t aws_retry_delay(AwsErrorClass class, unsigned attempt, uint32_t random)
{
    usec_t base, cap, ceiling;

    switch (class) {
    case AWS_ERROR_THROTTLED:
        base = 500 * USEC_PER_MSEC;
        cap = 5 * USEC_PER_SEC;
        break;
    case AWS_ERROR_NOT_FOUND: /* EC2's guide on eventual consistency: from a couple of seconds upwards */
        base = 500 * USEC_PER_MSEC;
        cap = 4 * USEC_PER_SEC;
        break;
    case AWS_ERROR_EXPIRED: /* what was wrong has been renewed already */
        base = 100 * USEC_PER_MSEC;
        cap = USEC_PER_SEC;
        break;
    case AWS_ERROR_TRANSIENT:
    case AWS_ERROR_NONE:
    case AWS_ERROR_ADDRESS_IN_USE:
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE:
    case AWS_ERROR_ADDRESS_LIMIT:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    case AWS_ERROR_DENIED:
    case AWS_ERROR_FINAL:
    default:
        base = 200 * USEC_PER_MSEC;
        cap = 10 * USEC_PER_SEC;
        break;
    }

    attempt = MIN(attempt, DELAY_EXPONENT_MAX);
    ceiling = MIN(cap, base << attempt);
    return (usec_t)((double)ceiling * ((double)random / (double)UINT32_MAX));
}

/* What time has passed counts at the rate it passed with. */
static void bucket_refill(AwsBucket *bucket, usec_t now)
{
    double gained;

    if (now <= bucket->at)
        return;
    gained = (double)(now - bucket->at) / (double)USEC_PER_SEC * bucket->rate;
    bucket->tokens = MIN(bucket->tokens + gained, bucket->size);
    bucket->at = now;
}

usec_t aws_bucket_take(AwsBucket *bucket, bool mutating, usec_t now)
{
    if (bucket->at == 0)
        *bucket = (AwsBucket){
            .tokens = mutating ? MUTATING_SIZE : DESCRIBE_SIZE,
            .size = mutating ? MUTATING_SIZE : DESCRIBE_SIZE,
            .rate = mutating ? MUTATING_RATE : DESCRIBE_RATE,
            .rate_full = mutating ? MUTATING_RATE : DESCRIBE_RATE,
            .at = MAX(now, (usec_t)1), /* 0 means unused */
        };

    /* Below zero, tokens counts those who wait: each gets a time of its own, in order. */
    bucket_refill(bucket, now);
    bucket->tokens -= 1.0;
    if (bucket->tokens >= 0)
        return now;
    return time_add(now, (usec_t)(-bucket->tokens / bucket->rate * (double)USEC_PER_SEC));
}

void aws_bucket_give_back(AwsBucket *bucket)
{
    bucket->tokens = MIN(bucket->tokens + 1.0, bucket->size);
}

void aws_bucket_throttled(AwsBucket *bucket, usec_t now)
{
    if (bucket->at == 0)
        return;

    /* Others use the account's bucket too: what we thought was left in it is not there. */
    bucket_refill(bucket, now);
    bucket->tokens = MIN(bucket->tokens, 0.0);
    bucket->rate = MAX(bucket->rate / 2, RATE_MIN);
}

void aws_bucket_succeeded(AwsBucket *bucket, usec_t now)
{
    if (bucket->at == 0)
        return;

    bucket_refill(bucket, now);
    bucket->rate = MIN(bucket->rate + bucket->rate_full / RECOVERY_STEPS, bucket->rate_full);
}
