/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lists that an address is chosen by. DescribeNetworkInterfaces takes many subnets in one filter;
 * GetSubnetCidrReservations takes one subnet a call (EC2 API Reference), so there are as many of those as
 * subnets. All go out at once; the first error ends the rest.
 */

#include "eni/lists.h"
#include <errno.h>

/* A filter takes this many values (EC2 API Reference, DescribeNetworkInterfaces). */
#define FILTER_VALUES_MAX 200

/* One GetSubnetCidrReservations; knows its owner so that the handler finds both. */
typedef struct ReservationsCall {
    Lists *lists;
    AwsCall *call;
} ReservationsCall;

struct Lists {
    Aws *aws;
    usec_t deadline;
    ListsHandler handler;
    void *userdata;
    AwsCall *enis_call;
    ReservationsCall *reservations_calls; /* one for each subnet */
    size_t n_pending;
    SubnetLists result;
};

void subnet_lists_done(SubnetLists *lists)
{
    for (size_t i = 0; lists->reservations && i < lists->subnets.n; i++)
        aws_records_done(&lists->reservations[i]);
    free(lists->reservations);
    aws_records_done(&lists->enis);
    strlist_done(&lists->subnets);
    *lists = SUBNET_LISTS_NULL;
}

Lists *lists_free(Lists *lists)
{
    if (!lists)
        return NULL;

    aws_call_free(lists->enis_call);
    for (size_t i = 0; lists->reservations_calls && i < lists->result.subnets.n; i++)
        aws_call_free(lists->reservations_calls[i].call);
    free(lists->reservations_calls);
    subnet_lists_done(&lists->result);
    return mfree(lists);
}

/* All calls but the one that is telling something right now. */
static void lists_cancel(Lists *lists, const AwsCall *but)
{
    if (lists->enis_call != but)
        lists->enis_call = aws_call_free(lists->enis_call);
    for (size_t i = 0; i < lists->result.subnets.n; i++)
        if (lists->reservations_calls[i].call != but)
            lists->reservations_calls[i].call = aws_call_free(lists->reservations_calls[i].call);
}

static void lists_take(Lists *lists, const AwsReply *reply, const AwsCall *call, AwsRecords *to)
{
    if (reply->error) {
        lists_cancel(lists, call);
        lists->handler(reply->error, NULL, lists->userdata);
        return;
    }
    *to = *reply->records;
    *reply->records = AWS_RECORDS_NULL;
    if (--lists->n_pending > 0)
        return;
    /* Now: by the subnets, which the handler may take out of the result, the calls are counted. */
    lists_cancel(lists, NULL);
    lists->handler(NULL, &lists->result, lists->userdata);
}

static void on_enis(const AwsReply *reply, void *userdata)
{
    Lists *lists = userdata;

    lists_take(lists, reply, lists->enis_call, &lists->result.enis);
}

static void on_reservations(const AwsReply *reply, void *userdata)
{
    const ReservationsCall *call = userdata;
    Lists *lists = call->lists;

    lists_take(lists, reply, call->call, &lists->result.reservations[call - lists->reservations_calls]);
}

static int lists_send_enis(Lists *lists)
{
    const char *values[FILTER_VALUES_MAX + 1] = {0};
    const Ec2Filter filters[] = {{"subnet-id", values}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    for (size_t i = 0; i < lists->result.subnets.n; i++)
        values[i] = lists->result.subnets.items[i];
    r = ec2_query_describe_network_interfaces(filters, &query);
    if (r == 0)
        r = aws_call(lists->aws, &query, lists->deadline, 0, on_enis, lists, &lists->enis_call);
    if (r == 0)
        lists->n_pending++;
    return r;
}

static int lists_send_reservations(Lists *lists, size_t i)
{
    ReservationsCall *call = &lists->reservations_calls[i];
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    call->lists = lists;
    r = ec2_query_get_subnet_cidr_reservations(lists->result.subnets.items[i], &query);
    if (r == 0)
        r = aws_call(lists->aws, &query, lists->deadline, 0, on_reservations, call, &call->call);
    if (r == 0)
        lists->n_pending++;
    return r;
}

int lists_fetch(Lists **ret, Aws *aws, const StrList *subnets, usec_t deadline, ListsHandler handler,
                void *userdata)
{
    _cleanup_(lists_freep) Lists *lists = NULL;
    int r;

    assert(subnets->n > 0 && subnets->n <= FILTER_VALUES_MAX);

    lists = calloc(1, sizeof(*lists));
    if (!lists)
        return -ENOMEM;
    *lists = (Lists){.aws = aws, .deadline = deadline, .handler = handler, .userdata = userdata};
    r = strlist_copy(subnets, &lists->result.subnets);
    if (r < 0)
        return r;
    lists->reservations_calls = calloc(subnets->n, sizeof(*lists->reservations_calls));
    lists->result.reservations = calloc(subnets->n, sizeof(*lists->result.reservations));
    if (!lists->reservations_calls || !lists->result.reservations)
        return -ENOMEM;

    r = lists_send_enis(lists);
    for (size_t i = 0; i < subnets->n && r == 0; i++)
        r = lists_send_reservations(lists, i);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(lists);
    return 0;
}
