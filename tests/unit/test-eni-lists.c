/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fetching what is in use and reserved: one list of interfaces for all subnets, one of reservations for
 * each, in whatever order they are answered.
 */

#include "eni/lists.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>

#define LIST         "DescribeNetworkInterfaces"
#define RESERVATIONS "GetSubnetCidrReservations"

typedef struct Fixture {
    Cloud cloud;
    StrList subnets;
    Lists *lists;
    SubnetLists got;
    unsigned n_told;
    char code[64];
    bool keeps; /* the object, when it is told */
} Fixture;

static void on_lists(const AwsError *error, SubnetLists *lists, void *userdata)
{
    Fixture *fixture = userdata;

    fixture->n_told++;
    (void)snprintf(fixture->code, sizeof(fixture->code), "%s", error ? error->code : "");
    if (lists) {
        fixture->got = *lists;
        *lists = SUBNET_LISTS_NULL;
    }
    if (!fixture->keeps)
        fixture->lists = lists_free(fixture->lists);
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    for (unsigned i = 1; i <= 3; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "subnet-%u", i);
        assert_int_equal(strlist_append(&fixture->subnets, id), 0);
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)lists_free(fixture->lists);
    subnet_lists_done(&fixture->got);
    strlist_done(&fixture->subnets);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture)
{
    assert_int_equal(lists_fetch(&fixture->lists, fixture->cloud.aws, &fixture->subnets, CLOUD_DEADLINE,
                                 on_lists, fixture),
                     0);
}

static void answer_reservations(Fixture *fixture, const char *subnet, const char *cidr)
{
    fake_call_answer(fake_aws_pending_with(fixture->cloud.aws, RESERVATIONS, "SubnetId", subnet),
                     "<subnetIpv4CidrReservationSet><item><cidr>%s</cidr><reservationType>explicit"
                     "</reservationType></item></subnetIpv4CidrReservationSet>",
                     cidr);
}

static void answer_list(Fixture *fixture)
{
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, LIST),
                     "<networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId></item>"
                     "</networkInterfaceSet>");
}

static void test_all(void **state)
{
    Fixture *fixture = *state;
    const FakeCall *list;
    char text[IN_ADDR_TEXT];

    for (unsigned last = 0; last < 2; last++) {
        fixture->keeps = last == 1;
        fixture->n_told = 0;
        start(fixture);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 4);
        list = fake_aws_pending(fixture->cloud.aws, LIST);
        assert_true(fake_call_has(list, "Filter.1.Name", "subnet-id"));
        assert_true(fake_call_has(list, "Filter.1.Value.1", "subnet-1"));
        assert_true(fake_call_has(list, "Filter.1.Value.3", "subnet-3"));
        assert_null(fake_call_get(list, "Filter.1.Value.4"));
        assert_true(list->deadline == CLOUD_DEADLINE);
        if (last == 0)
            answer_list(fixture);
        answer_reservations(fixture, "subnet-3", "10.0.3.0/28");
        answer_reservations(fixture, "subnet-1", "10.0.1.0/28");
        assert_int_equal(fixture->n_told, 0);
        answer_reservations(fixture, "subnet-2", "10.0.2.0/28");
        if (last == 1)
            answer_list(fixture);
        assert_int_equal(fixture->n_told, 1);
        assert_string_equal(fixture->code, "");
        assert_int_equal(fixture->got.enis.n_network_interfaces, 1);
        for (size_t i = 0; i < 3; i++) {
            char expected[16];

            (void)snprintf(expected, sizeof(expected), "10.0.%zu.0", i + 1);
            assert_string_equal(
                in_addr_format(&fixture->got.reservations[i].reservations[0].cidr.address, text), expected);
        }
        subnet_lists_done(&fixture->got);
        fixture->lists = lists_free(fixture->lists);
    }
}

/* Whichever fails: once is told, and nothing is awaited any more. */
static void test_error(void **state)
{
    static const char *const actions[] = {LIST, RESERVATIONS};
    Fixture *fixture = *state;

    for (size_t i = 0; i < 4; i++) {
        fixture->keeps = i >= 2;
        fixture->n_told = 0;
        start(fixture);
        cloud_fail(&fixture->cloud, actions[i % 2], "UnauthorizedOperation", "not you");
        assert_int_equal(fixture->n_told, 1);
        assert_string_equal(fixture->code, "UnauthorizedOperation");
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
        fixture->lists = lists_free(fixture->lists);
    }
}

static void test_freed(void **state)
{
    Fixture *fixture = *state;

    start(fixture);
    answer_list(fixture);
    answer_reservations(fixture, "subnet-2", "10.0.2.0/28");
    fixture->lists = lists_free(fixture->lists);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
    assert_int_equal(fixture->n_told, 0);
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_all), TEST(test_error), TEST(test_freed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
