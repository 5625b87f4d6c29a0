/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Getting rid of an interface: what is "gone already", what is "not yet", and what is not ours.
 */

#include "eni/removal.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>

#define DETACH      "DetachNetworkInterface"
#define DELETE      "DeleteNetworkInterface"
#define LOOK        "DescribeNetworkInterfaces"
#define IN_USE      "InvalidParameterValue"
#define IN_USE_TEXT "Network interface 'eni-1' is currently in use."

typedef struct Fixture {
    Cloud cloud;
    Removal *removal;
    bool unseen;
    unsigned n_told;
    char error[256]; /* "": none */
} Fixture;

static void on_removed(const AwsError *error, void *userdata)
{
    Fixture *fixture = userdata;

    fixture->n_told++;
    (void)snprintf(fixture->error, sizeof(fixture->error), "%s%s", error ? error->code : "",
                   error ? error->message : "");
    fixture->removal = removal_free(fixture->removal);
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)removal_free(fixture->removal);
    assert_true(fake_clock_next() == USEC_INFINITY);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture, const char *attachment_id, const char *instance_id)
{
    RemovalArgs args = {
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .network_interface_id = "eni-1",
        .attachment_id = attachment_id,
        .instance_id = instance_id,
        .unseen = fixture->unseen,
        .deadline = CLOUD_DEADLINE,
    };

    fixture->n_told = 0;
    assert_int_equal(removal_start(&args, on_removed, fixture, &fixture->removal), 0);
    assert_string_equal(removal_eni_id(fixture->removal), "eni-1");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 1);
}

static void assert_removed(const Fixture *fixture)
{
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->error, "");
}

static void answer_look(Fixture *fixture, const char *eni_id, const char *instance, const char *status)
{
    _cleanup_buf_ Buf items = BUF_NULL;

    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, LOOK), "NetworkInterfaceId.1", "eni-1"));
    if (eni_id)
        eni_item(&items, eni_id, instance, 1, status);
    cloud_answer_look(&fixture->cloud, &items);
}

static void test_available(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, NULL);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-1"));
    assert_int_equal(fixture->n_told, 0);
    cloud_answer(&fixture->cloud, DELETE);
    assert_removed(fixture);
}

static void test_gone_already(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, NULL);
    cloud_fail(&fixture->cloud, DELETE, "InvalidNetworkInterfaceID.NotFound", "gone");
    assert_removed(fixture);
}

/* It was only just made: believed when EC2 says so for 15 s. */
static void test_gone_before_it_was_seen(void **state)
{
    Fixture *fixture = *state;
    usec_t begin = time_monotonic();

    fixture->unseen = true;
    start(fixture, NULL, NULL);
    while (fixture->n_told == 0) {
        cloud_fail(&fixture->cloud, DELETE, "InvalidNetworkInterfaceID.NotFound", "gone");
        if (fixture->n_told == 0)
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    assert_removed(fixture);
    assert_true(time_monotonic() - begin == 15 * USEC_PER_SEC);
}

/* Detach has three answers that mean: it is off, or will be. */
static void test_attached(void **state)
{
    static const char *const codes[] = {NULL, "InvalidAttachmentID.NotFound", "IncorrectState"};
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        start(fixture, "attach-1", NULL);
        assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DETACH), "AttachmentId", "attach-1"));
        if (codes[i])
            cloud_fail(&fixture->cloud, DETACH, codes[i], "not attached");
        else
            cloud_answer(&fixture->cloud, DETACH);
        for (unsigned n = 0; n < 3; n++) {
            cloud_fail(&fixture->cloud, DELETE, n == 1 ? "InvalidNetworkInterface.InUse" : IN_USE,
                       IN_USE_TEXT);
            assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
            assert_true(fake_clock_next() == 250 * USEC_PER_MSEC << n);
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
        }
        cloud_answer(&fixture->cloud, DELETE);
        assert_removed(fixture);
    }
}

static void test_errors(void **state)
{
    Fixture *fixture = *state;

    start(fixture, "attach-1", NULL);
    cloud_fail(&fixture->cloud, DETACH, "UnauthorizedOperation", "!");
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->error, "UnauthorizedOperation!");

    start(fixture, NULL, NULL);
    cloud_fail(&fixture->cloud, DELETE, "UnauthorizedOperation", "!");
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->error, "UnauthorizedOperation!");

    start(fixture, NULL, CLOUD_INSTANCE);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
    cloud_fail(&fixture->cloud, LOOK, "UnauthorizedOperation", "!");
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->error, "UnauthorizedOperation!");
}

static void test_deadline(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, NULL);
    while (fixture->n_told == 0) {
        cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
        assert_true(time_monotonic() < CLOUD_DEADLINE);
        if (fixture->n_told == 0)
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    assert_string_equal(fixture->error, IN_USE IN_USE_TEXT);
    assert_true(time_monotonic() == CLOUD_DEADLINE - USEC_PER_SEC);
    assert_in_range(cloud_count(&fixture->cloud, DELETE), 40, 45); /* of five minutes */
}

/* Nobody said that it might be attached here: it is not asked for, and never detached. */
static void test_in_use_elsewhere(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, NULL);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
    fake_clock_advance(fixture->cloud.event, fake_clock_next());
    assert_int_equal(cloud_count(&fixture->cloud, LOOK), 0);
    cloud_answer(&fixture->cloud, DELETE);
    assert_removed(fixture);
}

static void test_attached_unnoticed(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, CLOUD_INSTANCE);
    for (unsigned n = 0; n < 3; n++) {
        cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
        answer_look(fixture, n == 0 ? NULL : "eni-1", n == 1 ? NULL : CLOUD_INSTANCE,
                    n == 1 ? NULL : "detaching");
        assert_true(fake_clock_next() == 250 * USEC_PER_MSEC << n);
        fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
    answer_look(fixture, "eni-1", CLOUD_INSTANCE, "attached");
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DETACH), "AttachmentId", "attach-eni-1"));
    cloud_answer(&fixture->cloud, DETACH);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
    fake_clock_advance(fixture->cloud.event, fake_clock_next());
    cloud_answer(&fixture->cloud, DELETE);
    assert_removed(fixture);
}

static void test_attached_to_another(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, CLOUD_INSTANCE);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
    answer_look(fixture, "eni-1", "i-2", "attached");
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->error, "it is attached to i-2, which is not this node");
    assert_int_equal(cloud_count(&fixture->cloud, DETACH), 0);
}

static void test_vanished_while_looking(void **state)
{
    Fixture *fixture = *state;

    start(fixture, NULL, CLOUD_INSTANCE);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
    cloud_fail(&fixture->cloud, LOOK, "InvalidNetworkInterfaceID.NotFound", "gone");
    assert_removed(fixture);
}

static void start_finding(Fixture *fixture)
{
    RemovalArgs args = {
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .network = "oam",
        .instance_id = CLOUD_INSTANCE,
        .deadline = CLOUD_DEADLINE,
    };

    fixture->n_told = 0;
    assert_int_equal(removal_start(&args, on_removed, fixture, &fixture->removal), 0);
    assert_null(removal_eni_id(fixture->removal));
}

/* What EC2 does not show at once it may show later. */
static void test_found_late(void **state)
{
    Fixture *fixture = *state;
    _cleanup_buf_ Buf items = BUF_NULL;
    const FakeCall *look;

    start_finding(fixture);
    for (usec_t pause = 250 * USEC_PER_MSEC; pause < 4 * USEC_PER_SEC; pause *= 2) {
        look = fake_aws_pending(fixture->cloud.aws, LOOK);
        assert_true(fake_call_has(look, "Filter.1.Name", "tag:multus-eks:instance-id"));
        assert_true(fake_call_has(look, "Filter.1.Value.1", CLOUD_INSTANCE));
        assert_true(fake_call_has(look, "Filter.2.Name", "tag:multus-eks:network"));
        assert_true(fake_call_has(look, "Filter.2.Value.1", "oam"));
        cloud_answer_look(&fixture->cloud, NULL);
        assert_int_equal(fixture->n_told, 0);
        assert_true(fake_clock_next() == pause);
        fake_clock_advance(fixture->cloud.event, pause);
    }
    eni_item(&items, "eni-2", NULL, 0, NULL);
    cloud_answer_look(&fixture->cloud, &items);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-2"));
    cloud_fail(&fixture->cloud, DELETE, "InvalidNetworkInterfaceID.NotFound", "not by this part of EC2");
    assert_int_equal(fixture->n_told, 0);
    assert_true(fake_clock_next() == 4 * USEC_PER_SEC);
    fake_clock_advance(fixture->cloud.event, fake_clock_next());
    cloud_answer(&fixture->cloud, DELETE);
    assert_removed(fixture);
}

/* That none was shown is no proof that there is none. */
static void test_never_found(void **state)
{
    Fixture *fixture = *state;
    usec_t start_time = time_monotonic();

    start_finding(fixture);
    while (fixture->n_told == 0) {
        cloud_answer_look(&fixture->cloud, NULL);
        if (fixture->n_told == 0)
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    assert_non_null(strstr(fixture->error, "has shown none"));
    assert_true(time_monotonic() - start_time == 15 * USEC_PER_SEC);
    assert_in_range(cloud_count(&fixture->cloud, LOOK), 5, 10);
    assert_true(fake_clock_next() == USEC_INFINITY);
}

static void test_freed_at_any_time(void **state)
{
    Fixture *fixture = *state;

    for (unsigned i = 0; i < 4; i++) {
        start(fixture, i == 0 ? "attach-1" : NULL, i == 2 ? CLOUD_INSTANCE : NULL);
        if (i >= 2)
            cloud_fail(&fixture->cloud, DELETE, IN_USE, IN_USE_TEXT);
        fixture->removal = removal_free(fixture->removal);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
        assert_true(fake_clock_next() == USEC_INFINITY);
        assert_int_equal(fixture->n_told, 0);
    }
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_available),
        TEST(test_gone_already),
        TEST(test_gone_before_it_was_seen),
        TEST(test_attached),
        TEST(test_errors),
        TEST(test_deadline),
        TEST(test_in_use_elsewhere),
        TEST(test_attached_unnoticed),
        TEST(test_attached_to_another),
        TEST(test_vanished_while_looking),
        TEST(test_found_late),
        TEST(test_never_found),
        TEST(test_freed_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
