/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lowest free address of a subnet, for ip_allocation = subnet-start. The search leaps over whole
 * reservations, so that an IPv6 subnet of 2^64 addresses takes no longer than a /28.
 */

#include "plan/allocate.h"
#include <errno.h>

/* VPC User Guide, "Subnet CIDR blocks": network, router, DNS and one for future use. */
#define RESERVED_AT_START 4

static int compare_taken(const void *a, const void *b)
{
    return in_addr_compare(a, b);
}

/* Move the candidate behind what holds it; false: nothing does. -ERANGE at the end of all addresses. */
static int leap(const AddressPool *pool, InAddr *candidate, bool *ret_moved)
{
    for (size_t i = 0; i < pool->n_reservations; i++) {
        const Ec2SubnetCidrReservation *reservation = &pool->reservations[i];

        if (reservation->is_explicit && in_prefix_contains(&reservation->cidr, candidate)) {
            InAddr last = in_prefix_last(&reservation->cidr);

            *ret_moved = true;
            return in_addr_add(&last, 1, candidate);
        }
    }

    if (pool->n_taken > 0 &&
        bsearch(candidate, pool->taken, pool->n_taken, sizeof(*pool->taken), compare_taken)) {
        *ret_moved = true;
        return in_addr_add(candidate, 1, candidate);
    }

    *ret_moved = false;
    return 0;
}

int address_pool_next(const AddressPool *pool, const InAddr *after, InAddr *ret)
{
    InAddr first = in_prefix_first(&pool->cidr), last = in_prefix_last(&pool->cidr), candidate;
    bool moved = true;

    if (in_addr_add(&first, RESERVED_AT_START, &candidate) < 0)
        return -ENOSPC;
    if (after && in_addr_is_set(after) && in_addr_compare(after, &candidate) >= 0 &&
        in_addr_add(after, 1, &candidate) < 0)
        return -ENOSPC;

    while (moved)
        if (leap(pool, &candidate, &moved) < 0)
            return -ENOSPC;

    /* The last one is broadcast in IPv4, and reserved in IPv6 as well. */
    if (in_addr_compare(&candidate, &last) >= 0)
        return -ENOSPC;
    *ret = candidate;
    return 0;
}
