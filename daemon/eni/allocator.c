/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses from the start of the subnet.
 *
 * One SubnetPool for each subnet asked about. Its lists of interfaces and CIDR reservations may be there
 * from the start, are fetched together with those of other subnets, or alone, by one batch; all requests
 * that come meanwhile wait for it. The list is a snapshot; other nodes take addresses while we look, so EC2's
 * refusal (InvalidIPAddress.InUse) is a normal answer, upon which the caller asks for the next address. An
 * address once handed out here is never handed out again by this allocator, whether EC2 agreed or refused.
 *
 * When a hundred nodes boot at once they all start at the same address. Every few refusals the list
 * is fetched anew, which jumps over what the others took meanwhile.
 */

#include "eni/allocator.h"
#include <errno.h>

#define REFUSALS_BEFORE_LISTING 3

typedef struct SubnetPool SubnetPool;

/* Lists that are being fetched, for one subnet or several. */
typedef struct Batch {
    Allocator *allocator;
    StrList subnets;
    Lists *lists;
    struct Batch *next;
} Batch;

struct AllocatorRequest {
    SubnetPool *pool;
    const DesiredEni *desired;
    AllocatorHandler handler;
    void *userdata;
    AllocatorRequest *next; /* of those waiting for the lists */
};

struct SubnetPool {
    Allocator *allocator;
    char *subnet_id;
    InAddr *taken; /* sorted */
    size_t n_taken;
    InPrefix *delegated;
    size_t n_delegated;
    AwsRecords reservations;
    bool fetching;
    bool known;
    unsigned n_refusals;
    AllocatorRequest *waiting;
    SubnetPool *next;
};

struct Allocator {
    Aws *aws;
    usec_t deadline;
    SubnetPool *pools;
    Batch *batches;
};

static SubnetPool *subnet_pool_free(SubnetPool *pool)
{
    if (!pool)
        return NULL;

    assert(!pool->waiting);
    aws_records_done(&pool->reservations);
    free(pool->delegated);
    free(pool->taken);
    free(pool->subnet_id);
    return mfree(pool);
}

int allocator_new(Allocator **ret, Aws *aws, usec_t deadline)
{
    Allocator *allocator = calloc(1, sizeof(*allocator));

    if (!allocator)
        return -ENOMEM;
    *allocator = (Allocator){.aws = aws, .deadline = deadline};
    *ret = allocator;
    return 0;
}

static Batch *batch_free(Batch *batch)
{
    if (!batch)
        return NULL;

    for (Batch **p = &batch->allocator->batches; *p; p = &(*p)->next)
        if (*p == batch) {
            *p = batch->next;
            break;
        }
    lists_free(batch->lists);
    strlist_done(&batch->subnets);
    return mfree(batch);
}

DEFINE_CLEANUP(Batch, batch_free)

Allocator *allocator_free(Allocator *allocator)
{
    SubnetPool *next;

    if (!allocator)
        return NULL;

    while (allocator->batches)
        batch_free(allocator->batches);
    for (SubnetPool *pool = allocator->pools; pool; pool = next) {
        next = pool->next;
        subnet_pool_free(pool);
    }
    return mfree(allocator);
}

static SubnetPool *allocator_find(Allocator *allocator, const char *subnet_id)
{
    for (SubnetPool *pool = allocator->pools; pool; pool = pool->next)
        if (streq(pool->subnet_id, subnet_id))
            return pool;
    return NULL;
}

/* Keeps taken sorted; a double is dropped. */
static int subnet_pool_mark(SubnetPool *pool, const InAddr *address)
{
    size_t low = 0, high = pool->n_taken;
    InAddr *taken;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = in_addr_compare(&pool->taken[middle], address);

        if (order == 0)
            return 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }

    taken = reallocarray(pool->taken, pool->n_taken + 1, sizeof(*taken));
    if (!taken)
        return -ENOMEM;
    pool->taken = taken;
    memmove(&taken[low + 1], &taken[low], (pool->n_taken - low) * sizeof(*taken));
    taken[low] = *address;
    pool->n_taken++;
    return 0;
}

static int subnet_pool_take(SubnetPool *pool, const InPrefix *cidr, InAddr *ret)
{
    AddressPool free_addresses = {
        .cidr = *cidr,
        .reservations = pool->reservations.reservations,
        .n_reservations = pool->reservations.n_reservations,
        .delegated = pool->delegated,
        .n_delegated = pool->n_delegated,
        .taken = pool->taken,
        .n_taken = pool->n_taken,
    };
    InAddr address;
    int r;

    r = address_pool_next(&free_addresses, &IN_ADDR_NULL, &address);
    if (r == 0)
        r = subnet_pool_mark(pool, &address);
    if (r < 0)
        return r;

    *ret = address;
    return 0;
}

static int subnet_pool_allocate(SubnetPool *pool, const DesiredEni *desired, Allocation *ret)
{
    Allocation allocation = ALLOCATION_NULL;
    int r;

    r = subnet_pool_take(pool, &desired->cidr_block, &allocation.ipv4);
    if (r == 0 && desired->ipv6)
        r = subnet_pool_take(pool, &desired->ipv6_cidr_block, &allocation.ipv6);
    if (r < 0)
        return r;
    *ret = allocation;
    return 0;
}

static void request_answer(AllocatorRequest *request, SubnetPool *pool)
{
    Allocation allocation = ALLOCATION_NULL;
    int r;

    r = subnet_pool_allocate(pool, request->desired, &allocation);
    request->handler(r, NULL, &allocation, request->userdata);
}

/* Answers those who wait, one by one, since a handler may free its own and others' requests. */
static void subnet_pool_answer(SubnetPool *pool, int r, const AwsError *error)
{
    while (pool->waiting) {
        AllocatorRequest *request = pool->waiting;

        pool->waiting = request->next;
        request->pool = NULL;
        if (r == 0)
            request_answer(request, pool);
        else
            request->handler(r, error, NULL, request->userdata);
    }
}

static int subnet_pool_mark_prefixes(SubnetPool *pool, const Ec2NetworkInterface *eni)
{
    InPrefix *delegated;

    if (eni->n_prefixes == 0)
        return 0;
    delegated = reallocarray(pool->delegated, pool->n_delegated + eni->n_prefixes, sizeof(*delegated));
    if (!delegated)
        return -ENOMEM;
    pool->delegated = delegated;
    memcpy(&delegated[pool->n_delegated], eni->prefixes, eni->n_prefixes * sizeof(*delegated));
    pool->n_delegated += eni->n_prefixes;
    return 0;
}

static int subnet_pool_mark_eni(SubnetPool *pool, const Ec2NetworkInterface *eni)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < eni->n_private_ips; i++)
        r = subnet_pool_mark(pool, &eni->private_ips[i].address);
    for (size_t i = 0; r == 0 && i < eni->n_ipv6_addresses; i++)
        r = subnet_pool_mark(pool, &eni->ipv6_addresses[i]);
    return r == 0 ? subnet_pool_mark_prefixes(pool, eni) : r;
}

/* The i-th subnet of the lists is this pool's. */
static int subnet_pool_learn(SubnetPool *pool, SubnetLists *lists, size_t i)
{
    int r = 0;

    pool->n_delegated = 0;
    for (size_t j = 0; r == 0 && j < lists->enis.n_network_interfaces; j++)
        if (streq_ptr(lists->enis.network_interfaces[j].subnet_id, pool->subnet_id))
            r = subnet_pool_mark_eni(pool, &lists->enis.network_interfaces[j]);
    if (r < 0)
        return r;

    aws_records_done(&pool->reservations);
    pool->reservations = lists->reservations[i];
    lists->reservations[i] = AWS_RECORDS_NULL;
    pool->known = true;
    pool->n_refusals = 0;
    return 0;
}

static int allocator_pool(Allocator *allocator, const char *subnet_id, SubnetPool **ret)
{
    SubnetPool *pool = allocator_find(allocator, subnet_id);

    if (!pool) {
        pool = calloc(1, sizeof(*pool));
        if (!pool)
            return -ENOMEM;
        *pool = (SubnetPool){.allocator = allocator, .subnet_id = strdup(subnet_id)};
        if (!pool->subnet_id) {
            subnet_pool_free(pool);
            return -ENOMEM;
        }
        pool->next = allocator->pools;
        allocator->pools = pool;
    }

    *ret = pool;
    return 0;
}

int allocator_learn(Allocator *allocator, SubnetLists *lists)
{
    SubnetPool *pool;
    int r = 0;

    for (size_t i = 0; i < lists->subnets.n && r == 0; i++) {
        r = allocator_pool(allocator, lists->subnets.items[i], &pool);
        if (r == 0)
            r = subnet_pool_learn(pool, lists, i);
    }
    return r;
}

/* First all pools are brought up to date, then all who wait are answered: they may ask again at once. */
static void on_lists(const AwsError *error, SubnetLists *lists, void *userdata)
{
    Batch *batch = userdata;
    Allocator *allocator = batch->allocator;
    int r = error ? -EIO : allocator_learn(allocator, lists);

    for (SubnetPool *pool = allocator->pools; pool; pool = pool->next)
        if (strlist_contains(&batch->subnets, pool->subnet_id))
            pool->fetching = false;
    for (SubnetPool *pool = allocator->pools; pool; pool = pool->next)
        if (strlist_contains(&batch->subnets, pool->subnet_id))
            subnet_pool_answer(pool, r, error);
    batch_free(batch);
}

static int allocator_fetch(Allocator *allocator, const StrList *subnets)
{
    _cleanup_(batch_freep) Batch *batch = calloc(1, sizeof(*batch));
    SubnetPool *pool;
    int r;

    if (!batch)
        return -ENOMEM;
    batch->allocator = allocator;
    r = strlist_copy(subnets, &batch->subnets);
    for (size_t i = 0; i < subnets->n && r == 0; i++)
        r = allocator_pool(allocator, subnets->items[i], &pool);
    if (r == 0)
        r = lists_fetch(&batch->lists, allocator->aws, subnets, allocator->deadline, on_lists, batch);
    if (r < 0)
        return r;

    for (size_t i = 0; i < subnets->n; i++) {
        pool = allocator_find(allocator, subnets->items[i]);
        pool->fetching = true;
        pool->known = false;
    }
    batch->next = allocator->batches;
    allocator->batches = TAKE_PTR(batch);
    return 0;
}

int allocator_prefetch(Allocator *allocator, const StrList *subnets)
{
    _cleanup_strlist_ StrList unknown = STRLIST_NULL;
    int r = 0;

    for (size_t i = 0; i < subnets->n && r == 0; i++) {
        const SubnetPool *pool = allocator_find(allocator, subnets->items[i]);

        if (!(pool && (pool->known || pool->fetching)) && !strlist_contains(&unknown, subnets->items[i]))
            r = strlist_append(&unknown, subnets->items[i]);
    }
    if (r < 0 || unknown.n == 0)
        return r;
    return allocator_fetch(allocator, &unknown);
}

int allocator_try(Allocator *allocator, const DesiredEni *desired, Allocation *ret)
{
    SubnetPool *pool = allocator_find(allocator, desired->subnet_id);

    return pool && pool->known ? subnet_pool_allocate(pool, desired, ret) : -EAGAIN;
}

/* At the end, so that interfaces get addresses in the order they asked. */
static void subnet_pool_enqueue(SubnetPool *pool, AllocatorRequest *request)
{
    AllocatorRequest **end = &pool->waiting;

    while (*end)
        end = &(*end)->next;
    *end = request;
    request->pool = pool;
}

int allocator_get(Allocator *allocator, const DesiredEni *desired, AllocatorHandler handler, void *userdata,
                  AllocatorRequest **ret)
{
    _cleanup_(allocator_request_freep) AllocatorRequest *request = NULL;
    _cleanup_strlist_ StrList subnets = STRLIST_NULL;
    SubnetPool *pool;
    int r;

    r = allocator_pool(allocator, desired->subnet_id, &pool);
    if (r < 0)
        return r;
    request = calloc(1, sizeof(*request));
    if (!request)
        return -ENOMEM;
    *request = (AllocatorRequest){.desired = desired, .handler = handler, .userdata = userdata};

    if (!pool->fetching && (!pool->known || pool->n_refusals >= REFUSALS_BEFORE_LISTING)) {
        r = strlist_append(&subnets, desired->subnet_id);
        if (r == 0)
            r = allocator_fetch(allocator, &subnets);
        if (r < 0)
            return r;
    }

    if (pool->fetching) {
        subnet_pool_enqueue(pool, request);
        *ret = TAKE_PTR(request);
        return 0;
    }
    *ret = request;
    request_answer(TAKE_PTR(request), pool);
    return 0;
}

AllocatorRequest *allocator_request_free(AllocatorRequest *request)
{
    if (!request)
        return NULL;

    if (request->pool)
        for (AllocatorRequest **p = &request->pool->waiting; *p; p = &(*p)->next)
            if (*p == request) {
                *p = request->next;
                break;
            }
    return mfree(request);
}

int allocator_take(Allocator *allocator, const DesiredEni *desired, const Allocation *allocation)
{
    SubnetPool *pool;
    int r;

    r = allocator_pool(allocator, desired->subnet_id, &pool);
    if (r == 0)
        r = subnet_pool_mark(pool, &allocation->ipv4);
    if (r == 0 && in_addr_is_set(&allocation->ipv6))
        r = subnet_pool_mark(pool, &allocation->ipv6);
    return r;
}

void allocator_refused(Allocator *allocator, const char *subnet_id)
{
    SubnetPool *pool = allocator_find(allocator, subnet_id);

    if (pool)
        pool->n_refusals++;
}
