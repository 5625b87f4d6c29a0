/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The registrar on a fake EC2 and fake clocks: which calls go out, and who is told what when.
 */

#include "lib/fake-aws/registry.h"
#include "util/log.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ------------------------------------------------------------------ registering */

static void test_register(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;
    FakeCall *call;

    fixture_init(&f);
    fixture_start(&f);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    put(&f, &asked, "10.0.1.20", "pod-a");
    settle(&f);
    assert_int_equal(asked.status, 0);
    call = fake_aws_pending(f.cloud.aws, ASSIGN);
    assert_true(fake_call_has(call, "NetworkInterfaceId", ENI));
    assert_true(fake_call_has(call, "PrivateIpAddress.1", "10.0.1.20"));
    assert_true(fake_call_has(call, "AllowReassignment", "true"));
    assert_int_equal(stored(&f, "10.0.1.20", NULL), 0);

    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    assert_string_equal(asked.interface, "eth1");
    assert_int_equal(stored(&f, "10.0.1.20", NULL), 1);

    /* Idle: no timer is left, and asking again asks nobody. */
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    put(&f, &asked, "10.0.1.20", "pod-a");
    assert_int_equal(asked.status, 200);
    assert_null(asked.wait);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    fixture_done(&f);
}

static void test_batching(void **unused _unused_)
{
    Asked asked[50] = {0};
    char text[32];
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    for (unsigned i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof(text), "10.0.1.%u", 20 + i);
        put(&f, &asked[i], text, "pod");
        if (i == 9)
            settle(&f); /* ten in one turn of the loop, the others during the call */
    }
    settle(&f);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    assert_non_null(fake_call_get(fake_aws_call(f.cloud.aws, 0), "PrivateIpAddress.10"));
    assign_ok(&f);
    assert_int_equal(asked[9].status, 200);
    assert_int_equal(asked[10].status, 0);
    assign_ok(&f);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(asked[i].status, 200);
    assert_int_equal(fake_aws_n(f.cloud.aws), 2);
    fixture_done(&f);
}

/* A call that was refused for the rate takes along what has come since, if it can. */
static void test_batching_when_throttled(void **unused _unused_)
{
    Asked asked[4] = {0}, deleted = {0};
    FakeCall *call;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked[0], "10.0.1.20", "a");
    settle(&f);
    call = fake_aws_pending(f.cloud.aws, ASSIGN);
    put(&f, &asked[1], "10.0.1.21", "a");
    put_until(&f, &asked[2], "10.0.1.22", NULL, "a", time_monotonic() + 5000 * SECOND);
    settle(&f);
    assert_null(fake_call_get(call, "PrivateIpAddress.2"));
    fake_call_throttle(call);
    assert_true(fake_call_has(call, "PrivateIpAddress.3", "10.0.1.22"));
    assert_int_equal(call->deadline, time_monotonic() + 5000 * SECOND);

    /* One of it was given back, and is not asked for any more: another node may have it by now. */
    give_back(&f, &deleted, "10.0.1.20", "a");
    put(&f, &asked[3], "10.0.1.23", "a");
    settle(&f);
    fake_call_throttle(call);
    assert_null(find(&f, "10.0.1.20"));
    assert_true(fake_call_has(call, "PrivateIpAddress.1", "10.0.1.21"));
    assert_true(fake_call_has(call, "PrivateIpAddress.3", "10.0.1.23"));
    assert_null(fake_call_get(call, "PrivateIpAddress.4"));
    assign_ok(&f);
    for (size_t i = 1; i < ARRAY_SIZE(asked); i++)
        assert_int_equal(asked[i].status, 200);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    assert_int_equal(registrar_statistics(f.registrar)->n_batched, 4);
    fixture_done(&f);
}

/* Nor is a call sent again of which nothing is left; what moved within the node is where it was. */
static void test_throttled_and_given_back(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    give_back(&f, &deleted, "10.0.1.20", "a");
    settle(&f);
    fake_call_throttle(fake_aws_pending(f.cloud.aws, ASSIGN));
    settle(&f);
    assert_int_equal(pending(&f, NULL), 0);
    assert_null(find(&f, "10.0.1.20"));

    put_on(&f, &asked, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    put_on(&f, &asked, "2001:db8::20", "eth2", "b");
    settle(&f);
    give_back(&f, &deleted, "2001:db8::20", "b");
    settle(&f);
    fake_call_throttle(fake_aws_pending(f.cloud.aws, ASSIGN6));
    settle(&f);
    assert_int_equal(pending(&f, NULL), 0);
    assert_string_equal(find(&f, "2001:db8::20")->network_interface_id, ENI);
    assert_int_equal(find(&f, "2001:db8::20")->state, REGISTRATION_RELEASED);
    assert_true(find(&f, "2001:db8::20")->assigned);
    fixture_done(&f);
}

static void test_release(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "pod-a");
    give_back(&f, &asked, "10.0.1.20", "pod-b");
    assert_int_equal(asked.status, 409);
    assert_string_equal(asked.code, "owned_by_another");
    give_back(&f, &asked, "10.0.1.20", "pod-a");
    assert_int_equal(asked.status, 0);
    settle(&f);
    assert_int_equal(asked.status, 200);

    advance(&f, 29 * SECOND);
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 10 * SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN), "PrivateIpAddress.1", "10.0.1.20"));
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.20"));
    assert_int_equal(stored(&f, "10.0.1.20", NULL), 0);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

/* Whatever is in flight, the last word counts. */
static void test_register_during_unassign(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "pod-a");
    give_back(&f, &asked, "10.0.1.20", "pod-a");
    settle(&f);
    advance(&f, 40 * SECOND);
    assert_int_equal(pending(&f, UNASSIGN), 1);
    put(&f, &asked, "10.0.1.20", "pod-b");
    settle(&f);
    assert_int_equal(pending(&f, ASSIGN), 0);
    unassign_ok(&f);
    assert_int_equal(asked.status, 0);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "pod-b");
    fixture_done(&f);
}

/* It was not unassigned, and is not assigned either: EC2 has it still, and nobody wants it any more. */
static void test_register_during_failed_unassign(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    give_back(&f, &deleted, "10.0.1.20", "a");
    advance(&f, 40 * SECOND);
    put(&f, &asked, "10.0.1.20", "b");
    settle(&f);
    fail_call(&f, UNASSIGN, "UnauthorizedOperation", "no");
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    advance(&f, 40 * SECOND);

    /* The same while it is looked for. */
    fail_call(&f, UNASSIGN, "InvalidParameterValue", "Some of the specified addresses are not assigned");
    put(&f, &asked, "10.0.1.20", "b");
    settle(&f);
    fail_call(&f, DESCRIBE, "UnauthorizedOperation", "no");
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

static void test_release_during_assign(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "pod-a");
    settle(&f);
    give_back(&f, &deleted, "10.0.1.20", "pod-a");
    settle(&f);
    assert_int_equal(deleted.status, 200);
    assert_int_equal(asked.status, 409);
    assert_string_equal(asked.code, "released");
    assign_ok(&f);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Given back before a call went out: there is nothing to do. */
static void test_release_before_assign(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "pod-a");
    give_back(&f, &deleted, "10.0.1.20", "pod-a");
    settle(&f);
    assert_int_equal(asked.status, 409);
    assert_int_equal(deleted.status, 200);
    assert_int_equal(fake_aws_n(f.cloud.aws), 0);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

/* Within the cooldown it may have moved to another node and back: EC2 is asked again. */
static void test_reclaim(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "pod-a");
    give_back(&f, &asked, "10.0.1.20", "pod-a");
    settle(&f);
    advance(&f, 5 * SECOND);
    put(&f, &asked, "10.0.1.20", "pod-a2");
    settle(&f);
    assert_int_equal(asked.status, 0);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    advance(&f, USEC_PER_HOUR);
    assert_int_equal(pending(&f, NULL), 0);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

static void test_owners(void **unused _unused_)
{
    Asked first = {0}, second = {0}, asked = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    /* Taken over while it is under way. */
    put(&f, &first, "10.0.1.20", "pod-a");
    settle(&f);
    put(&f, &second, "10.0.1.20", "pod-b");
    settle(&f);
    assert_int_equal(first.status, 409);
    assert_string_equal(first.code, "superseded");
    assign_ok(&f);
    assert_int_equal(second.status, 200);
    /* And after that, without a call, but on disk. */
    put(&f, &asked, "10.0.1.20", "pod-c");
    assert_int_equal(asked.status, 0);
    settle(&f);
    assert_int_equal(asked.status, 200);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    assert_int_equal(stored(&f, "10.0.1.20", &r), 1);
    give_back(&f, &asked, "10.0.1.20", "pod-b");
    assert_int_equal(asked.status, 409);
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_WANTED);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ refusals of our own */

static void test_refusals(void **unused _unused_)
{
    static const struct {
        const char *address, *interface, *owner;
        unsigned status;
        const char *code;
    } rows[] = {
        {"10.0.1.0", NULL, "o", 409, "reserved"},
        {"10.0.1.3", NULL, "o", 409, "reserved"},
        {"10.0.1.255", NULL, "o", 409, "reserved"},
        {"10.0.1.10", NULL, "o", 409, "reserved"},
        {"10.0.2.10", NULL, "o", 409, "reserved"},
        {"2001:db8::3", "eth1", "o", 409, "reserved"},
        {"10.0.3.20", NULL, "o", 422, "not_in_subnet"},
        {"10.0.1.20", "eth2", "o", 422, "not_in_subnet"},
        {"10.0.1.20", "eth9", "o", 404, "no_such_interface"},
        {"2001:db8::20", NULL, "o", 400, "ambiguous_interface"},
        {"10.0.1.20", NULL, "", 400, "bad_owner"},
        {"10.0.1.20", NULL, "a\nb", 400, "bad_owner"},
        {"10.0.1.20", NULL, "\xff", 400, "bad_owner"},
    };
    char owner[REGISTRAR_OWNER_MAX + 2];
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        put_on(&f, &asked, rows[i].address, rows[i].interface, rows[i].owner);
        assert_int_equal(asked.status, rows[i].status);
        assert_string_equal(asked.code, rows[i].code);
        assert_null(asked.wait);
    }
    memset(owner, 'a', sizeof(owner) - 1);
    owner[sizeof(owner) - 1] = '\0';
    put(&f, &asked, "10.0.1.20", owner);
    assert_int_equal(asked.status, 400);
    settle(&f);
    assert_int_equal(fake_aws_n(f.cloud.aws), 0);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

static void test_limit(void **unused _unused_)
{
    Asked asked[3] = {0};
    Fixture f;

    fixture_init(&f);
    f.options.ipv4_limit = 3; /* the primary and two more */
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.21", "b");
    put(&f, &asked[0], "10.0.1.22", "c");
    assert_int_equal(asked[0].status, 507);
    assert_string_equal(asked[0].code, "address_limit");
    /* A released one makes room, before its cooldown is over. */
    give_back(&f, &asked[1], "10.0.1.20", "a");
    put(&f, &asked[0], "10.0.1.22", "c");
    settle(&f);
    assert_int_equal(pending(&f, ASSIGN), 0);
    unassign_ok(&f);
    assign_ok(&f);
    assert_int_equal(asked[0].status, 200);
    /* Nor does one that is wanted again find room when it was given away. */
    put(&f, &asked[2], "10.0.1.20", "a");
    assert_int_equal(asked[2].status, 507);
    fixture_done(&f);
}

/* The limit is unknown, and EC2 says that it is reached. */
static void test_limit_of_ec2(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    give_back(&f, &deleted, "10.0.1.20", "a");
    put(&f, &asked, "10.0.1.21", "b");
    settle(&f);
    fail_call(&f, ASSIGN, "PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.");
    unassign_ok(&f);
    fail_call(&f, ASSIGN, "PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.");
    assert_int_equal(asked.status, 507);
    assert_string_equal(asked.ec2_code, "PrivateIpAddressLimitExceeded");
    assert_string_equal(asked.request_id, "r-2");
    assert_int_equal(pending(&f, NULL), 0);
    assert_null(find(&f, "10.0.1.21"));
    fixture_done(&f);
}

/* ------------------------------------------------------------------ interfaces of this node */

static void test_move_within_node(void **unused _unused_)
{
    Asked asked = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "pod-a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 200);

    put_on(&f, &asked, "2001:db8::20", "eth2", "pod-b");
    settle(&f);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    /* Killed now, the daemon would find what was answered. */
    assert_int_equal(stored(&f, "2001:db8::20", &r), 1);
    look_answer(&f, ENI, "", "2001:db8::20");
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 200);
    assert_string_equal(asked.interface, "eth2");
    assert_string_equal(find(&f, "2001:db8::20")->owner, "pod-b");

    /* And when it fails, it is where it was, and whose it was. */
    put_on(&f, &asked, "2001:db8::20", "eth1", "pod-c");
    settle(&f);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    assert_string_equal(find(&f, "2001:db8::20")->owner, "pod-b");
    assert_string_equal(find(&f, "2001:db8::20")->network_interface_id, "eni-2");
    assert_true(find(&f, "2001:db8::20")->assigned);
    fixture_done(&f);
}

typedef struct Heir {
    Fixture *fixture;
    const char *owner; /* NULL: does not want it */
    unsigned n, status;
    Asked asked;
} Heir;

static void on_orphan(const InAddr *orphan, const ProtocolError *error, void *userdata)
{
    Heir *heir = userdata;
    char text[IN_ADDR_TEXT];

    heir->n++;
    heir->status = error ? error->status : 0;
    if (heir->owner && !error)
        put(heir->fixture, &heir->asked, in_addr_format(orphan, text), heir->owner);
}

/* What is given back goes to the heir as it is: it stays assigned, and EC2 is not asked. */
static void test_heir(void **unused _unused_)
{
    Heir heir = {.owner = "heir"};
    Asked asked = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    heir.fixture = &f;
    registrar_set_heir(f.registrar, on_orphan, NULL, &heir);
    register_ok(&f, "10.0.1.20", "pod-a");
    give_back(&f, &asked, "10.0.1.20", "pod-b");
    assert_int_equal(asked.status, 409);
    assert_int_equal(heir.n, 0);
    give_back(&f, &asked, "10.0.1.20", "pod-a");
    assert_int_equal(asked.status, 0);
    settle(&f);
    assert_int_equal(asked.status, 200);
    assert_int_equal(heir.asked.status, 200);
    assert_int_equal(heir.n, 1);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "heir");
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_WANTED);
    assert_int_equal(stored(&f, "10.0.1.20", &r), 1);
    assert_int_equal(r.state, REGISTRATION_WANTED);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);

    /* It gives it back itself, and nobody is left. */
    heir.owner = NULL;
    give_back(&f, &asked, "10.0.1.20", "heir");
    settle(&f);
    assert_int_equal(asked.status, 200);
    assert_int_equal(heir.n, 2);
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_RELEASED);

    put(&f, &asked, "10.0.1.21", "pod-a");
    settle(&f);
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(heir.n, 3);
    assert_int_equal(heir.status, 502);
    registrar_set_heir(f.registrar, NULL, NULL, NULL);
    fixture_done(&f);
}

/* What the log says while a registration's call fails: with EC2's code, or without any reply. */
static void log_of_failure(const char *code, const char *message, char ret[static 512])
{
    int fds[2], saved = dup(STDERR_FILENO);
    Asked asked = {0};
    Fixture f;
    ssize_t n;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "pod-a");
    settle(&f);
    assert_true(saved >= 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    log_set_max_level(LOG_WARNING);
    if (code)
        fail_call(&f, ASSIGN, code, message);
    else
        fake_call_fail_errno(fake_aws_pending(f.cloud.aws, ASSIGN), -ECONNRESET, message);
    log_set_max_level(LOG_CRIT);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    n = read(fds[0], ret, 511);
    ret[MAX(n, 0)] = '\0';
    (void)close(saved);
    (void)close(fds[0]);
    (void)close(fds[1]);
    settle(&f);
    fixture_done(&f);
}

static void test_said_of_refusals(void **unused _unused_)
{
    char text[512];

    log_of_failure(NULL, "no reply from ec2.test: reset", text);
    assert_string_equal(text,
                        "warning: AssignPrivateIpAddresses of 10.0.1.20 on eth1 failed: no reply from "
                        "ec2.test: reset\n");
    log_of_failure("Blocked", "no", text);
    assert_string_equal(text,
                        "warning: AssignPrivateIpAddresses of 10.0.1.20 on eth1 failed: Blocked: no; AWS has "
                        "blocked the account; contact AWS Support\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register),
        cmocka_unit_test(test_batching),
        cmocka_unit_test(test_batching_when_throttled),
        cmocka_unit_test(test_throttled_and_given_back),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_register_during_unassign),
        cmocka_unit_test(test_register_during_failed_unassign),
        cmocka_unit_test(test_release_during_assign),
        cmocka_unit_test(test_release_before_assign),
        cmocka_unit_test(test_reclaim),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_of_ec2),
        cmocka_unit_test(test_move_within_node),
        cmocka_unit_test(test_heir),
        cmocka_unit_test(test_said_of_refusals),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
