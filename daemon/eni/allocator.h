#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* ip_allocation = subnet-start: which addresses to ask EC2 for. */

#include "aws/call.h"
#include "eni/lists.h"
#include "plan/allocate.h"
#include "plan/model.h"

typedef struct Allocator Allocator;
typedef struct AllocatorRequest AllocatorRequest;

/* error NULL and r 0: allocation is set. r -ENOSPC: the subnet has no free address left. Else error says why.
 */
typedef void (*AllocatorHandler)(int r, const AwsError *error, const Allocation *allocation, void *userdata);

/**
 * allocator_new() - for all subnets of this node
 * @deadline: CLOCK_MONOTONIC of its calls
 */
int allocator_new(Allocator **ret, Aws *aws, usec_t deadline);
Allocator *allocator_free(Allocator *allocator);

/** allocator_learn() - what was found out of subnets already; its reservations are taken out; 0 or -ENOMEM */
int allocator_learn(Allocator *allocator, SubnetLists *lists);

/** allocator_prefetch() - ask for the lists of these subnets together, where they are not known; 0 or -ENOMEM
 */
int allocator_prefetch(Allocator *allocator, const StrList *subnets);

/**
 * allocator_try() - the lowest free addresses of the interface's subnet, if its lists are there
 *
 * Return: 0; -EAGAIN when they are not; -ENOSPC; -ENOMEM.
 */
int allocator_try(Allocator *allocator, const DesiredEni *desired, Allocation *ret);

/**
 * allocator_get() - the lowest free addresses of the interface's subnet
 *
 * The first request for a subnet asks EC2 what is in use and reserved there, unless that is known; what was
 * handed out or refused since is remembered, so that interfaces of one node do not get the same address and
 * the next request after a refusal gets the next address. After several refusals EC2 is asked again.
 *
 * Return: 0, -ENOMEM. The handler is called once from the loop, or from inside this call when the
 * subnet is known, unless the request is freed before.
 */
int allocator_get(Allocator *allocator, const DesiredEni *desired, AllocatorHandler handler, void *userdata,
                  AllocatorRequest **ret);
AllocatorRequest *allocator_request_free(AllocatorRequest *request);

/** allocator_take() - these are asked for already: they are handed out to nobody; 0 or -ENOMEM */
int allocator_take(Allocator *allocator, const DesiredEni *desired, const Allocation *allocation);

/** allocator_refused() - another node was faster: count it towards asking EC2 again */
void allocator_refused(Allocator *allocator, const char *subnet_id);

DEFINE_CLEANUP(Allocator, allocator_free)
DEFINE_CLEANUP(AllocatorRequest, allocator_request_free)
