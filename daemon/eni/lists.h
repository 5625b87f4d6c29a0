#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What is in use and reserved in subnets: for ip_allocation = subnet-start. */

#include "aws/call.h"
#include "util/macro.h"
#include "util/strlist.h"

typedef struct Lists Lists;

typedef struct SubnetLists {
    StrList subnets;
    AwsRecords enis;          /* the interfaces in any of them */
    AwsRecords *reservations; /* of each of them, in the order of subnets */
} SubnetLists;

#define SUBNET_LISTS_NULL ((SubnetLists){0})

/** subnet_lists_done() - free everything; empty and usable afterwards */
void subnet_lists_done(SubnetLists *lists);

/* error NULL: lists is set, and things may be taken out of it. */
typedef void (*ListsHandler)(const AwsError *error, SubnetLists *lists, void *userdata);

/**
 * lists_fetch() - ask for the interfaces of all subnets at once, and for the CIDR reservations of each
 * @subnets: ids, at least one, no more than 200; copied
 * @deadline: CLOCK_MONOTONIC
 *
 * Return: 0, -ENOMEM. The handler is called once from the loop unless the object is freed before; inside
 * it the object may be freed.
 */
int lists_fetch(Lists **ret, Aws *aws, const StrList *subnets, usec_t deadline, ListsHandler handler,
                void *userdata);
Lists *lists_free(Lists *lists);

DEFINE_CLEANUP(Lists, lists_free)
