/* SPDX-License-Identifier: Apache-2.0 */

/*
 * AssignIpv6Addresses knows no AllowReassignment: an address that another interface has must be
 * unassigned there first (Amazon EC2 API Reference). Between the two calls it is nobody's, so when the
 * second fails it is assigned back to where it was.
 *
 *   looking -> unassigning -> assigning <-> rolling back
 *      |                          |              |
 *      +-> done                   +-> done       +-> done
 *
 * What an instance's first interface has is the host's or a pod's of the VPC CNI: to take it away would cut
 * off a node. Of the other interfaces EC2 does not say which address is their own.
 *
 * All addresses are looked up with one call; those of one holder, the first one's, move together. The
 * others are left for the next move, for the caller asks again as long as something is not as wanted.
 *
 * A call for several is carried out for all or for none. Once they are nobody's, another node may take one
 * of them, and the others must not pay for that: refused for the sake of an address, they are assigned, or
 * assigned back, one by one.
 *
 * A lost reply to Unassign is taken for a success: if it was none, Assign is refused, and giving back
 * what was never taken does no harm. A lost reply to Assign is followed by the roll back too; when EC2
 * refuses that because the address is in use, it is probably ours: MOVE6_UNTOLD.
 */

#include "register/move6.h"
#include "register/refusal.h"
#include "util/log.h"
#include <errno.h>
#include <stdio.h>

#define STEP_TIMEOUT     (30 * USEC_PER_SEC)
#define ROLLBACK_TIMEOUT (5 * USEC_PER_MINUTE) /* somebody's traffic depends on it */
#define ALL_OF_THEM      SIZE_MAX

typedef enum MoveState {
    MOVE_NEW,
    MOVE_LOOKING,
    MOVE_UNASSIGNING,
    MOVE_ASSIGNING,
    MOVE_ROLLING_BACK,
    MOVE_DONE,
    _MOVE_STATE_MAX,
} MoveState;

struct Move6 {
    Aws *aws;
    MoveState state;
    char *network_interface_id;
    char *holder;
    InAddr *addresses;
    Move6Outcome *outcomes;
    size_t n;
    size_t only;      /* this one alone, and then those after it; ALL_OF_THEM */
    bool giving_back; /* all that is left */
    AwsCall *call;
    /* Why the assigning failed, while it is rolled back. */
    AwsError error;
    char code[64], message[256], request_id[64];
    Move6Taking taking;
    Move6Handler handler;
    void *userdata;
};

static void move_set_state(Move6 *move, MoveState state)
{
    static const unsigned edges[_MOVE_STATE_MAX] _unused_ = {
        [MOVE_NEW] = 1 << MOVE_LOOKING,
        [MOVE_LOOKING] = 1 << MOVE_UNASSIGNING | 1 << MOVE_DONE,
        [MOVE_UNASSIGNING] = 1 << MOVE_ASSIGNING | 1 << MOVE_DONE,
        [MOVE_ASSIGNING] = 1 << MOVE_ASSIGNING | 1 << MOVE_ROLLING_BACK | 1 << MOVE_DONE,
        [MOVE_ROLLING_BACK] = 1 << MOVE_ASSIGNING | 1 << MOVE_ROLLING_BACK | 1 << MOVE_DONE,
        [MOVE_DONE] = 0,
    };
    static const char *const names[_MOVE_STATE_MAX] = {
        "new", "looking", "unassigning", "assigning", "rolling back", "done",
    };

    assert(edges[move->state] & 1u << state);
    log_debug("Move of %zu IPv6 addresses to %s: %s -> %s", move->n, move->network_interface_id,
              names[move->state], names[state]);
    move->state = state;
}

Move6 *move6_free(Move6 *move)
{
    if (!move)
        return NULL;

    (void)aws_call_free(move->call);
    free(move->outcomes);
    free(move->addresses);
    free(move->holder);
    free(move->network_interface_id);
    return mfree(move);
}

/* What the result points to is moved out of the object, which the handler frees. */
static void move_finish(Move6 *move, const AwsError *error)
{
    _cleanup_(freep) Move6Outcome *outcomes = TAKE_PTR(move->outcomes);
    _cleanup_(freep) char *holder = TAKE_PTR(move->holder);
    Move6Result result = {.outcomes = outcomes, .holder = holder, .error = error};

    move_set_state(move, MOVE_DONE);
    move->handler(&result, move->userdata);
}

/* Before the holder is known: all. Then those that were his; and once it goes one by one, this one. */
static bool move_is_under_way(const Move6 *move, size_t i)
{
    if (!move->holder)
        return true;
    return move->outcomes[i] == MOVE6_REFUSED && (move->only == ALL_OF_THEM || move->only == i);
}

static void move_set_outcome(Move6 *move, Move6Outcome outcome)
{
    for (size_t i = 0; i < move->n; i++)
        if (move_is_under_way(move, i))
            move->outcomes[i] = outcome;
}

static void move_fail(Move6 *move, const AwsError *error)
{
    move_set_outcome(move, MOVE6_REFUSED);
    move_finish(move, error);
}

static AwsError error_memory(void)
{
    return (AwsError){.class = AWS_ERROR_TRANSIENT,
                      .error = -ENOMEM,
                      .action = "AssignIpv6Addresses",
                      .code = "",
                      .message = "out of memory",
                      .request_id = ""};
}

static void move_fail_memory(Move6 *move)
{
    AwsError error = error_memory();

    move_fail(move, &error);
}

static size_t move_group(const Move6 *move, InAddr *ret_addresses)
{
    size_t n = 0;

    for (size_t i = 0; i < move->n; i++)
        if (move_is_under_way(move, i))
            ret_addresses[n++] = move->addresses[i];
    return n;
}

static void on_unassigned(const AwsReply *reply, void *userdata);
static void on_assigned(const AwsReply *reply, void *userdata);
static void on_rolled_back(const AwsReply *reply, void *userdata);

/* The group's next call. */
static int move_call(Move6 *move, MoveState state, AwsHandler handler)
{
    usec_t timeout = state == MOVE_ROLLING_BACK ? ROLLBACK_TIMEOUT : STEP_TIMEOUT;
    _cleanup_aws_query_ AwsQuery query = {0};
    InAddr addresses[MOVE6_MAX];
    size_t n = move_group(move, addresses);
    int r;

    if (state == MOVE_UNASSIGNING)
        r = ec2_query_unassign_ipv6_addresses(move->holder, addresses, n, &query);
    else
        r = ec2_query_assign_ipv6_addresses(
            state == MOVE_ASSIGNING ? move->network_interface_id : move->holder, addresses, n, &query);
    if (r < 0)
        return r;

    move->call = aws_call_free(move->call);
    r = aws_call(move->aws, &query, time_add(time_monotonic(), timeout), 0, handler, move, &move->call);
    if (r < 0)
        return r;
    move_set_state(move, state);
    return 0;
}

/* ------------------------------------------------------------------ one by one */

/* What is over; the handler frees the move, and looks at the error after that. */
static void move_over(Move6 *move)
{
    AwsError error = move->error;
    char code[sizeof(move->code)], message[sizeof(move->message)], request_id[sizeof(move->request_id)];

    error.code = memcpy(code, move->code, sizeof(code));
    error.message = memcpy(message, move->message, sizeof(message));
    error.request_id = memcpy(request_id, move->request_id, sizeof(request_id));
    move_finish(move, &error);
}

static void move_keep_error(Move6 *move, const AwsError *error)
{
    move->error = *error;
    (void)snprintf(move->code, sizeof(move->code), "%s", error->code);
    (void)snprintf(move->message, sizeof(move->message), "%s", error->message);
    (void)snprintf(move->request_id, sizeof(move->request_id), "%s", error->request_id);
}

/* There is no memory to go on, and nobody has what is left. */
static void move_strand(Move6 *move)
{
    AwsError error = error_memory();

    move_keep_error(move, &error);
    for (size_t i = move->only == ALL_OF_THEM ? 0 : move->only; i < move->n; i++)
        if (move->outcomes[i] == MOVE6_REFUSED)
            move->outcomes[i] = MOVE6_STRANDED;
    move_over(move);
}

/* The first one from there on that has not been decided, alone. */
static void move_singly(Move6 *move, size_t from)
{
    MoveState state = move->giving_back ? MOVE_ROLLING_BACK : MOVE_ASSIGNING;

    while (from < move->n && move->outcomes[from] != MOVE6_REFUSED)
        from++;
    move->only = from;
    if (from == move->n)
        move_over(move);
    else if (move_call(move, state, move->giving_back ? on_rolled_back : on_assigned) < 0)
        move_strand(move);
}

/* What was under way has an outcome. */
static void move_next(Move6 *move)
{
    if (move->only == ALL_OF_THEM)
        move_over(move);
    else
        move_singly(move, move->only + 1);
}

static bool move_can_be_split(const Move6 *move, const AwsError *error)
{
    InAddr addresses[MOVE6_MAX];

    return refusal_scope(error) == REFUSAL_SCOPE_ADDRESSES && move_group(move, addresses) > 1;
}

static void on_rolled_back(const AwsReply *reply, void *userdata)
{
    Move6 *move = userdata;

    if (reply->error && move_can_be_split(move, reply->error)) {
        move->giving_back = true;
        move_singly(move, 0);
        return;
    }
    if (reply->error)
        move_set_outcome(move,
                         reply->error->class == AWS_ERROR_ADDRESS_IN_USE ? MOVE6_UNTOLD : MOVE6_STRANDED);
    move_next(move);
}

static void move_roll_back(Move6 *move, const AwsError *error)
{
    move_keep_error(move, error);
    if (move_call(move, MOVE_ROLLING_BACK, on_rolled_back) < 0) {
        move_set_outcome(move, MOVE6_STRANDED);
        move_next(move);
    }
}

static void on_assigned(const AwsReply *reply, void *userdata)
{
    Move6 *move = userdata;

    if (reply->error && move_can_be_split(move, reply->error)) {
        move_singly(move, 0);
        return;
    }
    if (reply->error) {
        move_roll_back(move, reply->error);
        return;
    }
    move_set_outcome(move, MOVE6_MOVED);
    move_next(move);
}

static void on_unassigned(const AwsReply *reply, void *userdata)
{
    Move6 *move = userdata;
    const AwsError *error = reply->error;

    /* A holder that has given it up meanwhile is as good; so is one that is gone. */
    if (error && !error->ambiguous &&
        (error->class == AWS_ERROR_NOT_FOUND ||
         (error->class == AWS_ERROR_FINAL && strstr(error->message, "not assigned")))) {
        move_set_outcome(move, MOVE6_FREE);
        move_finish(move, NULL);
    } else if (error && !error->ambiguous) {
        move_fail(move, error);
    } else if (move_call(move, MOVE_ASSIGNING, on_assigned) < 0) {
        move_strand(move);
    }
}

static const Ec2NetworkInterface *find_holder(const AwsRecords *records, const InAddr *address)
{
    for (size_t i = 0; i < records->n_network_interfaces; i++)
        for (size_t j = 0; j < records->network_interfaces[i].n_ipv6_addresses; j++)
            if (in_addr_equal(&records->network_interfaces[i].ipv6_addresses[j], address))
                return &records->network_interfaces[i];
    return NULL;
}

/* Those of the first other holder found are marked REFUSED, which they are until they are moved. */
static int move_sort_out(Move6 *move, const AwsRecords *records)
{
    for (size_t i = 0; i < move->n; i++) {
        const Ec2NetworkInterface *holder = find_holder(records, &move->addresses[i]);

        if (!holder) {
            move->outcomes[i] = MOVE6_FREE;
        } else if (streq(holder->network_interface_id, move->network_interface_id)) {
            move->outcomes[i] = MOVE6_OURS;
        } else if (holder->attachment.attachment_id && holder->attachment.device_index == 0) {
            move->outcomes[i] = MOVE6_OTHERS;
        } else if (move->holder && !streq(holder->network_interface_id, move->holder)) {
            move->outcomes[i] = MOVE6_LATER;
        } else {
            move->outcomes[i] = MOVE6_REFUSED;
            if (!move->holder && replace_string(&move->holder, holder->network_interface_id) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static void move_take(Move6 *move)
{
    move->taking(move->holder, move->outcomes, move->userdata);
    if (move_call(move, MOVE_UNASSIGNING, on_unassigned) < 0)
        move_fail_memory(move);
}

static void on_looked(const AwsReply *reply, void *userdata)
{
    Move6 *move = userdata;

    if (reply->error)
        move_fail(move, reply->error);
    else if (move_sort_out(move, reply->records) < 0)
        move_fail_memory(move);
    else if (!move->holder)
        move_finish(move, NULL);
    else
        move_take(move);
}

static int move_look(Move6 *move)
{
    char texts[MOVE6_MAX][IN_ADDR_TEXT];
    const char *values[MOVE6_MAX + 1];
    const Ec2Filter filters[] = {{"ipv6-addresses.ipv6-address", values}, {NULL, NULL}};
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    for (size_t i = 0; i < move->n; i++)
        values[i] = in_addr_format(&move->addresses[i], texts[i]);
    values[move->n] = NULL;

    r = ec2_query_describe_network_interfaces(filters, &query);
    if (r < 0)
        return r;
    r = aws_call(move->aws, &query, time_add(time_monotonic(), STEP_TIMEOUT), 0, on_looked, move,
                 &move->call);
    if (r < 0)
        return r;
    move_set_state(move, MOVE_LOOKING);
    return 0;
}

int move6_new(Move6 **ret, Aws *aws, const char *network_interface_id, const InAddr *addresses, size_t n,
              Move6Taking taking, Move6Handler handler, void *userdata)
{
    _cleanup_(move6_freep) Move6 *move = calloc(1, sizeof(*move));
    int r;

    assert(n > 0 && n <= MOVE6_MAX);
    if (!move)
        return -ENOMEM;
    move->aws = aws;
    move->taking = taking;
    move->handler = handler;
    move->userdata = userdata;
    move->n = n;
    move->only = ALL_OF_THEM;
    move->network_interface_id = strdup(network_interface_id);
    move->addresses = calloc(n, sizeof(*move->addresses));
    move->outcomes = calloc(n, sizeof(*move->outcomes));
    if (!move->network_interface_id || !move->addresses || !move->outcomes)
        return -ENOMEM;
    memcpy(move->addresses, addresses, n * sizeof(*addresses));

    r = move_look(move);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(move);
    return 0;
}
