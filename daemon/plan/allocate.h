#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The lowest free addresses of a subnet. Pure. */

#include "aws/records.h"
#include "util/inaddr.h"
#include "util/macro.h"

/* The addresses to ask for; an unset family is not wanted. */
typedef struct Allocation {
    InAddr ipv4;
    InAddr ipv6;
} Allocation;

#define ALLOCATION_NULL ((Allocation){.ipv4 = IN_ADDR_NULL, .ipv6 = IN_ADDR_NULL})

/* What may not be handed out. */
typedef struct AddressPool {
    InPrefix cidr;
    const Ec2SubnetCidrReservation *reservations; /* explicit ones of that subnet are passed over */
    size_t n_reservations;
    const InPrefix *delegated; /* to interfaces, whole: no address of them is free */
    size_t n_delegated;
    const InAddr *taken; /* in use or tried before, sorted by in_addr_compare() */
    size_t n_taken;
} AddressPool;

/**
 * address_pool_next() - lowest free address
 * @after: search above this one; none: from the start
 *
 * Passed over are the first four of a subnet and in IPv4 the last (VPC User Guide, "Subnet CIDR
 * blocks"; in IPv6 the first four and the last as well), explicit reservations, prefixes that are
 * delegated, and what is taken.
 *
 * Return: 0; -ENOSPC when none is left.
 */
int address_pool_next(const AddressPool *pool, const InAddr *after, InAddr *ret);
