/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses from the start of the subnet.
 *
 * One SubnetPool for each subnet asked about: listing its interfaces and its CIDR reservations takes
 * two calls, shared by all requests that wait meanwhile. The list is a snapshot; other nodes take
 * addresses while we look, so EC2's refusal (InvalidIPAddress.InUse) is a normal answer, upon which
 * the caller asks for the next address. An address once handed out here is never handed out again by
 * this allocator, whether EC2 agreed or refused.
 *
 * When a hundred nodes boot at once they all start at the same address. Every few refusals the list
 * is fetched anew, which jumps over what the others took meanwhile.
 */

#include "eni/allocator.h"
#include <errno.h>

#define REFUSALS_BEFORE_LISTING 3

typedef struct SubnetPool SubnetPool;

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
    AwsCall *list_call;
    AwsCall *reservations_call;
    bool known;
    unsigned n_refusals;
    AllocatorRequest *waiting;
    SubnetPool *next;
};

struct Allocator {
    Aws *aws;
    usec_t deadline;
    SubnetPool *pools;
};

static SubnetPool *subnet_pool_free(SubnetPool *pool)
{
    if (!pool)
        return NULL;

    assert(!pool->waiting);
    aws_call_free(pool->list_call);
    aws_call_free(pool->reservations_call);
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

Allocator *allocator_free(Allocator *allocator)
{
    SubnetPool *next;

    if (!allocator)
        return NULL;

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

static void request_answer(AllocatorRequest *request, SubnetPool *pool)
{
    Allocation allocation = ALLOCATION_NULL;
    int r;

    r = subnet_pool_take(pool, &request->desired->cidr_block, &allocation.ipv4);
    if (r == 0 && request->desired->ipv6)
        r = subnet_pool_take(pool, &request->desired->ipv6_cidr_block, &allocation.ipv6);
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

static void subnet_pool_check_known(SubnetPool *pool)
{
    if (pool->list_call || pool->reservations_call)
        return;
    pool->known = true;
    pool->n_refusals = 0;
    subnet_pool_answer(pool, 0, NULL);
}

static void subnet_pool_fail(SubnetPool *pool, int r, const AwsError *error)
{
    subnet_pool_answer(pool, r, error);
    pool->list_call = aws_call_free(pool->list_call);
    pool->reservations_call = aws_call_free(pool->reservations_call);
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

static void on_listed(const AwsReply *reply, void *userdata)
{
    SubnetPool *pool = userdata;
    int r = 0;

    if (reply->error) {
        subnet_pool_fail(pool, -EIO, reply->error);
        return;
    }
    pool->n_delegated = 0;
    for (size_t i = 0; r == 0 && i < reply->records->n_network_interfaces; i++)
        r = subnet_pool_mark_eni(pool, &reply->records->network_interfaces[i]);
    if (r < 0) {
        subnet_pool_fail(pool, r, NULL);
        return;
    }

    pool->list_call = aws_call_free(pool->list_call);
    subnet_pool_check_known(pool);
}

static void on_reservations(const AwsReply *reply, void *userdata)
{
    SubnetPool *pool = userdata;

    if (reply->error) {
        subnet_pool_fail(pool, -EIO, reply->error);
        return;
    }
    aws_records_done(&pool->reservations);
    pool->reservations = *reply->records;
    *reply->records = AWS_RECORDS_NULL;

    pool->reservations_call = aws_call_free(pool->reservations_call);
    subnet_pool_check_known(pool);
}

static int subnet_pool_fetch(SubnetPool *pool)
{
    const char *const subnets[] = {pool->subnet_id, NULL};
    const Ec2Filter filters[] = {{"subnet-id", subnets}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery list = {0};
    _cleanup_aws_query_ AwsQuery reservations = {0};
    Allocator *allocator = pool->allocator;
    int r;

    r = ec2_query_describe_network_interfaces(filters, &list);
    if (r == 0)
        r = ec2_query_get_subnet_cidr_reservations(pool->subnet_id, &reservations);
    if (r == 0)
        r = aws_call(allocator->aws, &list, allocator->deadline, 0, on_listed, pool, &pool->list_call);
    if (r == 0)
        r = aws_call(allocator->aws, &reservations, allocator->deadline, 0, on_reservations, pool,
                     &pool->reservations_call);
    if (r < 0) {
        pool->list_call = aws_call_free(pool->list_call);
        return r;
    }

    pool->known = false;
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
    SubnetPool *pool;
    bool fetching;
    int r;

    r = allocator_pool(allocator, desired->subnet_id, &pool);
    if (r < 0)
        return r;
    request = calloc(1, sizeof(*request));
    if (!request)
        return -ENOMEM;
    *request = (AllocatorRequest){.desired = desired, .handler = handler, .userdata = userdata};

    fetching = pool->list_call || pool->reservations_call;
    if (!fetching && (!pool->known || pool->n_refusals >= REFUSALS_BEFORE_LISTING)) {
        r = subnet_pool_fetch(pool);
        if (r < 0)
            return r;
        fetching = true;
    }

    if (fetching) {
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
