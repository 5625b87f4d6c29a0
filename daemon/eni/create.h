#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The request that creates a desired interface. Pure. */

#include "aws/codec.h"
#include "plan/model.h"

typedef struct CreateArgs {
    const DesiredEni *desired;
    const char *instance_id;
    const char *created;        /* of intent.h */
    const InAddr *private_ip;   /* with IP_ALLOCATION_SUBNET_START, else NULL */
    const InAddr *ipv6_address; /* likewise; NULL with desired->ipv6: EC2 chooses */
} CreateArgs;

/**
 * create_query() - CreateNetworkInterface with all tags and its ClientToken
 *
 * The token is the SHA-256 of the instance id and everything in the request, so that the same
 * request is the same interface and another request is another one (IdempotentParameterMismatch
 * cannot happen).
 *
 * Return: 0; -ENOMEM; -EIO when libcrypto refuses.
 */
int create_query(const CreateArgs *args, AwsQuery *ret);
