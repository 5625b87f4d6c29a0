/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running a plan: what goes out at once, what waits for what, and that the unwanted does not hold up
 * the wanted for longer than it must.
 */

#include "eni/intent.h"
#include "eni/reconcile.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include "util/fs.h"

#define CREATE "CreateNetworkInterface"
#define DETACH "DetachNetworkInterface"
#define DELETE "DeleteNetworkInterface"

typedef struct Fixture {
    Cloud cloud;
    Intents *intents;
    Metadata metadata;
    Ec2Instance instance;
    Facts facts;
    DesiredEni desired[2];
    Ec2NetworkInterface unwanted[2];
    EniPlan enis[2];
    EniRemoval removals[2];
    Plan plan;
    SubnetLists *lists;
    Reconcile *reconcile;
    unsigned n_removed;
    Buf told;
} Fixture;

static void on_event(Eni *eni _unused_, EniEventType event, void *userdata)
{
    Fixture *fixture = userdata;

    assert_int_equal(buf_putc(&fixture->told, "CARPLF"[event]), 0);
}

static void on_removed(void *userdata)
{
    ((Fixture *)userdata)->n_removed++;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    fixture->metadata.instance_id = strdup(CLOUD_INSTANCE);
    fixture->facts = (Facts){.metadata = &fixture->metadata, .instance = &fixture->instance};
    assert_int_equal(intents_load(&fixture->intents, fixture->cloud.path, CLOUD_INSTANCE), 0);
    for (unsigned i = 0; i < 2; i++) {
        desired_init(&fixture->desired[i], i == 0 ? "oam" : "media");
        fixture->enis[i] = (EniPlan){.desired = &fixture->desired[i],
                                     .steps = STEP_CREATE | STEP_ATTACH | STEP_MODIFY_DELETE_ON_TERMINATION,
                                     .device_index = i + 1};
        fixture->unwanted[i].network_interface_id = strdup(i == 0 ? "eni-a" : "eni-b");
        fixture->removals[i] = (EniRemoval){.observed = &fixture->unwanted[i], .reason = "it is in the way"};
    }
    fixture->unwanted[0].attachment.attachment_id = strdup("attach-a");
    fixture->removals[0].detach = true;
    fixture->plan = (Plan){.enis = fixture->enis, .removals = fixture->removals};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)reconcile_free(fixture->reconcile);
    (void)intents_free(fixture->intents);
    for (unsigned i = 0; i < 2; i++) {
        desired_eni_done(&fixture->desired[i]);
        ec2_network_interface_done(&fixture->unwanted[i]);
    }
    free(fixture->metadata.instance_id);
    buf_done(&fixture->told);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture, size_t n_enis, size_t n_removals)
{
    ReconcileArgs args = {
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .intents = fixture->intents,
        .facts = &fixture->facts,
        .plan = &fixture->plan,
        .lists = fixture->lists,
        .deadline = CLOUD_DEADLINE,
        .removed_by = CLOUD_DEADLINE,
        .handler = on_event,
        .removed = on_removed,
        .userdata = fixture,
    };

    fixture->plan.n_enis = n_enis;
    fixture->plan.n_removals = n_removals;
    assert_int_equal(reconcile_new(&fixture->reconcile, &args), 0);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 0);
    assert_false(reconcile_is_over(fixture->reconcile));
    reconcile_start(fixture->reconcile);
}

static void test_empty(void **state)
{
    Fixture *fixture = *state;

    start(fixture, 0, 0);
    assert_true(reconcile_is_over(fixture->reconcile));
    assert_int_equal(reconcile_n(fixture->reconcile), 0);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 0);
}

static void test_all_at_once(void **state)
{
    Fixture *fixture = *state;
    _cleanup_(freep) char *text = NULL;

    start(fixture, 2, 0);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 2);
    assert_int_equal(fs_read_file(fixture->cloud.path, 4096, &text, NULL), 0);
    assert_non_null(strstr(text, "\"oam\""));
    assert_non_null(strstr(text, "\"media\""));
    cloud_answer_create(&fixture->cloud, "eni-1");
    cloud_answer_create(&fixture->cloud, "eni-2");
    for (unsigned i = 0; i < 2; i++) {
        cloud_answer_attach(&fixture->cloud, "attach-1");
        cloud_answer(&fixture->cloud, "ModifyNetworkInterfaceAttribute");
        assert_int_equal(reconcile_is_over(fixture->reconcile), i == 1);
    }
    assert_string_equal(fixture->told.data, "CCARAR");
    assert_ptr_equal(eni_desired(reconcile_eni(fixture->reconcile, 1)), &fixture->desired[1]);
}

/* Addresses that can be chosen at once are on disk before anything is sent, in one write with the rest. */
static void test_addresses_are_chosen_first(void **state)
{
    Fixture *fixture = *state;
    SubnetLists lists = SUBNET_LISTS_NULL;
    _cleanup_(freep) char *text = NULL;

    for (unsigned i = 0; i < 2; i++)
        fixture->desired[i].ip_allocation = IP_ALLOCATION_SUBNET_START;
    assert_int_equal(replace_string(&fixture->desired[1].subnet_id, "subnet-2"), 0);
    assert_int_equal(strlist_append(&lists.subnets, "subnet-1"), 0);
    lists.reservations = calloc(1, sizeof(*lists.reservations));
    assert_non_null(lists.reservations);
    fixture->lists = &lists;
    start(fixture, 2, 0);
    subnet_lists_done(&lists);
    assert_int_equal(fs_read_file(fixture->cloud.path, 4096, &text, NULL), 0);
    assert_non_null(strstr(text, "\"addresses\":{\"oam\":\"10.0.1.4\"}"));
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "PrivateIpAddress", "10.0.1.4"));
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 1);
    cloud_answer_lists(&fixture->cloud); /* of the other one */
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 2);
    assert_int_equal(cloud_count(&fixture->cloud, "DescribeNetworkInterfaces"), 1);
}

/* Of no subnet anything is known: one list for both. */
static void test_lists_are_asked_for_together(void **state)
{
    Fixture *fixture = *state;

    for (unsigned i = 0; i < 2; i++)
        fixture->desired[i].ip_allocation = IP_ALLOCATION_SUBNET_START;
    assert_int_equal(replace_string(&fixture->desired[1].subnet_id, "subnet-2"), 0);
    start(fixture, 2, 0);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, "DescribeNetworkInterfaces"), 1);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, "GetSubnetCidrReservations"), 2);
    cloud_answer_lists(&fixture->cloud);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, "GetSubnetCidrReservations"), "%s", "");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 2);
}

/* The one to be detached holds an index; the other one is in nobody's way. */
static void test_detach_first(void **state)
{
    Fixture *fixture = *state;

    start(fixture, 1, 2);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 0);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DETACH), "AttachmentId", "attach-a"));
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-b"));
    cloud_answer(&fixture->cloud, DETACH);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 0);
    fake_call_answer(fake_aws_pending_with(fixture->cloud.aws, DELETE, "NetworkInterfaceId", "eni-a"),
                     "<return>true</return>");
    assert_int_equal(fixture->n_removed, 1);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 1);
    cloud_answer_create(&fixture->cloud, "eni-1");
    cloud_answer_attach(&fixture->cloud, "attach-1");
    cloud_answer(&fixture->cloud, "ModifyNetworkInterfaceAttribute");
    assert_false(reconcile_is_over(fixture->reconcile));
    cloud_answer(&fixture->cloud, DELETE);
    assert_true(reconcile_is_over(fixture->reconcile));
    assert_int_equal(fixture->n_removed, 2);
}

/* What is being detached already is nobody's to wait for, and goes when it can, after the boot too. */
static void test_late(void **state)
{
    Fixture *fixture = *state;

    fixture->removals[0].detach = false;
    fixture->removals[0].late = true;
    start(fixture, 1, 1);
    cloud_fail(&fixture->cloud, DELETE, "InvalidParameterValue", "eni-a is currently in use");
    cloud_answer_create(&fixture->cloud, "eni-1");
    cloud_answer_attach(&fixture->cloud, "attach-1");
    cloud_answer(&fixture->cloud, "ModifyNetworkInterfaceAttribute");
    assert_true(reconcile_is_over(fixture->reconcile));
    fake_clock_advance(fixture->cloud.event, fake_clock_next());
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-a"));
    cloud_answer(&fixture->cloud, DELETE);
    assert_true(fake_clock_next() == USEC_INFINITY);
    assert_int_equal(cloud_count(&fixture->cloud, DETACH), 0);
    assert_int_equal(fixture->n_removed, 0);
}

/* It does not go at all: that ends too. */
static void test_late_without_end(void **state)
{
    Fixture *fixture = *state;

    fixture->removals[0].detach = false;
    fixture->removals[0].late = true;
    start(fixture, 0, 1);
    assert_true(reconcile_is_over(fixture->reconcile));
    while (fake_aws_n_pending(fixture->cloud.aws, DELETE) > 0) {
        cloud_fail(&fixture->cloud, DELETE, "InvalidParameterValue", "eni-a is currently in use");
        if (fake_clock_next() != USEC_INFINITY)
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    assert_true(fake_clock_next() == USEC_INFINITY);
    assert_in_range(cloud_count(&fixture->cloud, DELETE), 40, 45); /* in five minutes */
}

/* It is being detached, but a wanted one needs its place. */
static void test_detached_by_an_earlier_run_first(void **state)
{
    Fixture *fixture = *state;

    fixture->removals[0].detach = false;
    start(fixture, 1, 1);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 0);
    cloud_answer(&fixture->cloud, DELETE);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 1);
}

static void test_failed_removal_does_not_fail_the_plan(void **state)
{
    Fixture *fixture = *state;

    start(fixture, 1, 1);
    cloud_fail(&fixture->cloud, DETACH, "UnauthorizedOperation", "not you");
    assert_int_equal(fixture->n_removed, 1);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 1);
    cloud_fail(&fixture->cloud, CREATE, "UnauthorizedOperation", "not you");
    assert_true(reconcile_is_over(fixture->reconcile));
    assert_string_equal(fixture->told.data, "F");
}

/* As when boot_timeout passes during a detachment. */
static void test_given_up_before_its_start(void **state)
{
    Fixture *fixture = *state;

    start(fixture, 2, 1);
    eni_give_up(reconcile_eni(fixture->reconcile, 0), "too late");
    assert_string_equal(fixture->told.data, "F");
    assert_false(reconcile_is_over(fixture->reconcile));
    cloud_answer(&fixture->cloud, DETACH);
    cloud_answer(&fixture->cloud, DELETE);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, CREATE), 1);
    eni_give_up(reconcile_eni(fixture->reconcile, 1), "too late");
    assert_false(reconcile_is_over(fixture->reconcile)); /* what Create has made is looked for */
    cloud_fail(&fixture->cloud, "DescribeNetworkInterfaces", "UnauthorizedOperation", "not you");
    assert_true(reconcile_is_over(fixture->reconcile));
}

/* An index that a removed interface holds is not offered as another choice. */
static void test_indexes_are_noted(void **state)
{
    Fixture *fixture = *state;
    Ec2NetworkInterface primary[2] = {{0}, {.attachment = {.device_index = 3}}};
    _cleanup_buf_ Buf items = BUF_NULL;

    fixture->instance.network_interfaces = primary;
    fixture->instance.n_network_interfaces = 2;
    start(fixture, 2, 0);
    cloud_answer_create(&fixture->cloud, "eni-1");
    cloud_fail(&fixture->cloud, "AttachNetworkInterface", "InvalidParameterValue",
               "Instance 'i-1' already has an interface attached at device index '1'.");
    eni_item(&items, "eni-other", CLOUD_INSTANCE, 1, "attached");
    cloud_answer_look(&fixture->cloud, &items);
    assert_true(
        fake_call_has(fake_aws_pending(fixture->cloud.aws, "AttachNetworkInterface"), "DeviceIndex", "4"));
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_all_at_once),
        TEST(test_addresses_are_chosen_first),
        TEST(test_lists_are_asked_for_together),
        TEST(test_detach_first),
        TEST(test_late),
        TEST(test_late_without_end),
        TEST(test_detached_by_an_earlier_run_first),
        TEST(test_failed_removal_does_not_fail_the_plan),
        TEST(test_given_up_before_its_start),
        TEST(test_indexes_are_noted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
