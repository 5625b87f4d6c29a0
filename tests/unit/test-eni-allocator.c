/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses from the start of the subnet: who shares which listing, and which address comes next.
 */

#include "eni/allocator.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <errno.h>
#include <stdio.h>

#define LIST         "DescribeNetworkInterfaces"
#define RESERVATIONS "GetSubnetCidrReservations"
#define N            8

typedef struct Answer {
    AllocatorRequest *request;
    unsigned n;
    int r;
    char code[64];
    char ipv4[IN_ADDR_TEXT], ipv6[IN_ADDR_TEXT];
    bool frees_next;
} Answer;

typedef struct Fixture {
    Cloud cloud;
    Allocator *allocator;
    DesiredEni desired;
    Answer answers[N];
} Fixture;

static void on_allocated(int r, const AwsError *error, const Allocation *allocation, void *userdata)
{
    Answer *answer = userdata;

    answer->n++;
    answer->r = r;
    (void)snprintf(answer->code, sizeof(answer->code), "%s", error ? error->code : "");
    if (r == 0) {
        (void)in_addr_format(&allocation->ipv4, answer->ipv4);
        (void)in_addr_format(&allocation->ipv6, answer->ipv6);
    }
    answer->request = allocator_request_free(answer->request);
    if (answer->frees_next)
        answer[1].request = allocator_request_free(answer[1].request);
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    desired_init(&fixture->desired, "oam");
    assert_int_equal(allocator_new(&fixture->allocator, fixture->cloud.aws, CLOUD_DEADLINE), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    for (size_t i = 0; i < N; i++)
        (void)allocator_request_free(fixture->answers[i].request);
    (void)allocator_free(fixture->allocator);
    desired_eni_done(&fixture->desired);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void get(Fixture *fixture, size_t i)
{
    Answer *answer = &fixture->answers[i];

    assert_int_equal(
        allocator_get(fixture->allocator, &fixture->desired, on_allocated, answer, &answer->request), 0);
}

static void assert_got(const Fixture *fixture, size_t i, const char *ipv4, const char *ipv6)
{
    const Answer *answer = &fixture->answers[i];

    assert_int_equal(answer->n, 1);
    assert_int_equal(answer->r, 0);
    assert_string_equal(answer->ipv4, ipv4);
    assert_string_equal(answer->ipv6, ipv6);
}

static void answer_reservations(const Fixture *fixture, const char *ipv4, const char *type)
{
    fake_call_answer(
        fake_aws_pending(fixture->cloud.aws, RESERVATIONS),
        "<subnetIpv4CidrReservationSet><item><cidr>%s</cidr><reservationType>%s</reservationType>"
        "</item></subnetIpv4CidrReservationSet>",
        ipv4, type);
}

static void answer_list(const Fixture *fixture, const char *ipv4, const char *ipv6)
{
    fake_call_answer(
        fake_aws_pending(fixture->cloud.aws, LIST),
        "<networkInterfaceSet><item><networkInterfaceId>eni-9</networkInterfaceId><subnetId>subnet-1</"
        "subnetId>"
        "<privateIpAddressesSet>"
        "<item><privateIpAddress>%s</privateIpAddress><primary>true</primary></item></privateIpAddressesSet>"
        "<ipv6AddressesSet><item><ipv6Address>%s</ipv6Address></item></ipv6AddressesSet></item>"
        "</networkInterfaceSet>",
        ipv4, ipv6);
}

/* Two interfaces in one subnet: one listing, two addresses, in the order they asked. */
static void test_shared_listing(void **state)
{
    Fixture *fixture = *state;

    get(fixture, 0);
    get(fixture, 1);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 2);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, LIST), "Filter.1.Value.1", "subnet-1"));
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, RESERVATIONS), "SubnetId", "subnet-1"));
    answer_list(fixture, "10.0.1.5", "2001:db8::4");
    assert_int_equal(fixture->answers[0].n, 0);
    answer_reservations(fixture, "10.0.1.6/32", "explicit");
    assert_got(fixture, 0, "10.0.1.4", "");
    assert_got(fixture, 1, "10.0.1.7", "");

    get(fixture, 2);
    assert_got(fixture, 2, "10.0.1.8", "");
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 2);
}

static void test_prefix_reservation_is_usable(void **state)
{
    Fixture *fixture = *state;

    get(fixture, 0);
    answer_reservations(fixture, "10.0.1.0/28", "prefix");
    answer_list(fixture, "10.0.1.4", "2001:db8::4");
    assert_got(fixture, 0, "10.0.1.5", "");
}

/* A node with prefix delegation: none of the sixteen is free. Fetched again, what is free again is. */
static void test_delegated_prefix(void **state)
{
    Fixture *fixture = *state;

    get(fixture, 0);
    answer_reservations(fixture, "10.0.1.128/25", "explicit");
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, LIST),
                     "<networkInterfaceSet><item><networkInterfaceId>eni-9</networkInterfaceId>"
                     "<subnetId>subnet-1</subnetId><ipv4PrefixSet>"
                     "<item><ipv4Prefix>10.0.1.0/28</ipv4Prefix></item></ipv4PrefixSet></item>"
                     "</networkInterfaceSet>");
    assert_got(fixture, 0, "10.0.1.16", "");
    for (unsigned i = 0; i < 3; i++)
        allocator_refused(fixture->allocator, "subnet-1");
    get(fixture, 1);
    cloud_answer_lists(&fixture->cloud);
    assert_got(fixture, 1, "10.0.1.4", "");
}

static void test_ipv6(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.ipv6 = true;
    assert_int_equal(in_prefix_parse("2001:db8::/64", &fixture->desired.ipv6_cidr_block), 0);
    get(fixture, 0);
    get(fixture, 1);
    answer_list(fixture, "10.0.1.4", "2001:db8::5");
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, RESERVATIONS), "%s", "");
    assert_got(fixture, 0, "10.0.1.5", "2001:db8::4");
    assert_got(fixture, 1, "10.0.1.6", "2001:db8::6");
}

static void test_subnets_apart(void **state)
{
    Fixture *fixture = *state;

    get(fixture, 0);
    assert_int_equal(replace_string(&fixture->desired.subnet_id, "subnet-2"), 0);
    get(fixture, 1);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 4);
    cloud_answer_lists(&fixture->cloud);
    assert_got(fixture, 0, "10.0.1.4", "");
    assert_int_equal(fixture->answers[1].n, 0);
    cloud_answer_lists(&fixture->cloud);
    assert_got(fixture, 1, "10.0.1.4", "");
}

static void answer_reservations_of(const Fixture *fixture, const char *subnet)
{
    fake_call_answer(fake_aws_pending_with(fixture->cloud.aws, RESERVATIONS, "SubnetId", subnet), "%s", "");
}

/* Several subnets in one batch; whose an interface is, its subnet tells. */
static void test_prefetched_together(void **state)
{
    Fixture *fixture = *state;
    _cleanup_strlist_ StrList subnets = STRLIST_NULL;
    Allocation early;

    for (unsigned i = 0; i < 2; i++) /* named twice */
        assert_int_equal(strlist_append(&subnets, "subnet-1"), 0);
    assert_int_equal(strlist_append(&subnets, "subnet-2"), 0);
    assert_int_equal(allocator_prefetch(fixture->allocator, &subnets), 0);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 3);
    assert_int_equal(allocator_prefetch(fixture->allocator, &subnets), 0);
    get(fixture, 0);
    assert_int_equal(allocator_try(fixture->allocator, &fixture->desired, &early), -EAGAIN);
    assert_int_equal(replace_string(&fixture->desired.subnet_id, "subnet-2"), 0);
    get(fixture, 1);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 3);

    answer_list(fixture, "10.0.1.4", "2001:db8::4"); /* of subnet-1 */
    answer_reservations_of(fixture, "subnet-2");
    answer_reservations_of(fixture, "subnet-1");
    assert_got(fixture, 1, "10.0.1.4", "");
    assert_int_equal(replace_string(&fixture->desired.subnet_id, "subnet-1"), 0);
    assert_got(fixture, 0, "10.0.1.5", "");
    assert_int_equal(allocator_try(fixture->allocator, &fixture->desired, &early), 0);
    assert_int_equal(early.ipv4.bytes[3], 6);
    assert_int_equal(allocator_prefetch(fixture->allocator, &subnets), 0);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 3);
}

/* What was found out before: no call at all. */
static void test_learned(void **state)
{
    Fixture *fixture = *state;
    SubnetLists lists = SUBNET_LISTS_NULL;
    Allocation unknown;

    assert_int_equal(strlist_append(&lists.subnets, "subnet-1"), 0);
    lists.reservations = calloc(1, sizeof(*lists.reservations));
    assert_non_null(lists.reservations);
    assert_int_equal(allocator_try(fixture->allocator, &fixture->desired, &unknown), -EAGAIN);
    assert_int_equal(allocator_learn(fixture->allocator, &lists), 0);
    subnet_lists_done(&lists);
    get(fixture, 0);
    assert_got(fixture, 0, "10.0.1.4", "");
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 0);
}

/* After three refusals EC2 is asked again, and what was refused is not offered again. */
static void test_refusals(void **state)
{
    static const char *const expected[] = {"10.0.1.4", "10.0.1.5", "10.0.1.6"};
    Fixture *fixture = *state;

    for (size_t i = 0; i < 3; i++) {
        get(fixture, i);
        if (i == 0)
            cloud_answer_lists(&fixture->cloud);
        assert_got(fixture, i, expected[i], "");
        allocator_refused(fixture->allocator, "subnet-1");
    }
    assert_int_equal(cloud_count(&fixture->cloud, LIST), 1);
    get(fixture, 3);
    assert_int_equal(cloud_count(&fixture->cloud, LIST), 2);
    assert_int_equal(fixture->answers[3].n, 0);
    answer_list(fixture, "10.0.1.7", "2001:db8::4");
    answer_reservations(fixture, "10.0.1.8/32", "explicit");
    assert_got(fixture, 3, "10.0.1.9", "");
    get(fixture, 4);
    assert_got(fixture, 4, "10.0.1.10", "");
    allocator_refused(fixture->allocator, "subnet-of-nobody");
}

static void test_full(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(in_prefix_parse("10.0.1.0/29", &fixture->desired.cidr_block), 0);
    for (size_t i = 0; i < 4; i++)
        get(fixture, i);
    cloud_answer_lists(&fixture->cloud);
    assert_got(fixture, 2, "10.0.1.6", "");
    assert_int_equal(fixture->answers[3].n, 1);
    assert_int_equal(fixture->answers[3].r, -ENOSPC);
    assert_string_equal(fixture->answers[3].code, "");
}

/* All who wait are told; the next request asks anew. */
static void test_error(void **state)
{
    static const char *const actions[] = {LIST, RESERVATIONS};
    Fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        get(fixture, 2 * i);
        get(fixture, 2 * i + 1);
        cloud_fail(&fixture->cloud, actions[i], "UnauthorizedOperation", "not you");
        for (size_t j = 2 * i; j < 2 * i + 2; j++) {
            assert_int_equal(fixture->answers[j].n, 1);
            assert_int_equal(fixture->answers[j].r, -EIO);
            assert_string_equal(fixture->answers[j].code, "UnauthorizedOperation");
        }
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
    }
    get(fixture, 4);
    cloud_answer_lists(&fixture->cloud);
    assert_got(fixture, 4, "10.0.1.4", "");
}

static void test_freed_while_waiting(void **state)
{
    Fixture *fixture = *state;

    for (size_t i = 0; i < 5; i++)
        get(fixture, i);
    fixture->answers[1].request = allocator_request_free(fixture->answers[1].request);
    fixture->answers[2].frees_next = true;
    cloud_answer_lists(&fixture->cloud);
    assert_got(fixture, 0, "10.0.1.4", "");
    assert_int_equal(fixture->answers[1].n, 0);
    assert_got(fixture, 2, "10.0.1.5", "");
    assert_int_equal(fixture->answers[3].n, 0);
    assert_got(fixture, 4, "10.0.1.6", "");
}

static void test_nobody_waits_any_more(void **state)
{
    Fixture *fixture = *state;

    get(fixture, 0);
    fixture->answers[0].request = allocator_request_free(fixture->answers[0].request);
    cloud_answer_lists(&fixture->cloud);
    get(fixture, 1);
    assert_got(fixture, 1, "10.0.1.4", "");
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_shared_listing),
        TEST(test_prefix_reservation_is_usable),
        TEST(test_delegated_prefix),
        TEST(test_ipv6),
        TEST(test_subnets_apart),
        TEST(test_prefetched_together),
        TEST(test_learned),
        TEST(test_refusals),
        TEST(test_full),
        TEST(test_error),
        TEST(test_freed_while_waiting),
        TEST(test_nobody_waits_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
