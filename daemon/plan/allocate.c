/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lowest free address of a subnet, for ip_allocation = subnet-start. The search leaps over whole
 * reservations and prefixes, so that an IPv6 subnet of 2^64 addresses takes no longer than a /28.
 */

#include "plan/allocate.h"
#include <errno.h>

/* VPC User Guide, "Subnet CIDR blocks": network, router, DNS and one for future use. */
#define RESERVED_AT_START 4

static int compare_taken(const void *a, const void *b)
{
    return in_addr_compare(a, b);
}

/* The first address behind the block; -ERANGE at the end of all addresses. */
static int leap_over(const InPrefix *block, InAddr *candidate)
{
    InAddr last = in_prefix_last(block);

    return in_addr_add(&last, 1, candidate);
}

/* Move the candidate behind what holds it; false: nothing does. -ERANGE at the end of all addresses. */
static int leap(const AddressPool *pool, InAddr *candidate, bool *ret_moved)
{
    *ret_moved = true;
    for (size_t i = 0; i < pool->n_reservations; i++)
        if (pool->reservations[i].is_explicit && in_prefix_contains(&pool->reservations[i].cidr, candidate))
            return leap_over(&pool->reservations[i].cidr, candidate);
    for (size_t i = 0; i < pool->n_delegated; i++)
        if (in_prefix_contains(&pool->delegated[i], candidate))
            return leap_over(&pool->delegated[i], candidate);

    if (pool->n_taken > 0 &&
        bsearch(candidate, pool->taken, pool->n_taken, sizeof(*pool->taken), compare_taken))
        return in_addr_add(candidate, 1, candidate);

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
