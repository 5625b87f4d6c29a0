/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sweep: what it deletes, and above all what it must not.
 */

#include "eni/sweep.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>

#define INSTANCES "DescribeInstances"
#define DELETE    "DeleteNetworkInterface"
#define OLD       "2026-09-21T14:03:20.000Z" /* ten minutes before FAKE_CLOCK_REALTIME */
#define YOUNG     "2026-09-21T14:03:20.001Z"

typedef struct Fixture {
    Cloud cloud;
    AwsRecords leftovers;
    Sweep *sweep;
    unsigned n_done;
} Fixture;

static void on_done(void *userdata)
{
    Fixture *fixture = userdata;

    fixture->n_done++;
    fixture->sweep = sweep_free(fixture->sweep);
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

    (void)sweep_free(fixture->sweep);
    aws_records_done(&fixture->leftovers);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void add(Fixture *fixture, const char *eni_id, const char *owner, const char *created)
{
    AwsRecords *records = &fixture->leftovers;
    Ec2NetworkInterface *eni;

    records->network_interfaces = reallocarray(records->network_interfaces, records->n_network_interfaces + 1,
                                               sizeof(*records->network_interfaces));
    assert_non_null(records->network_interfaces);
    eni = &records->network_interfaces[records->n_network_interfaces++];
    *eni = (Ec2NetworkInterface){.network_interface_id = strdup(eni_id), .subnet_id = strdup("subnet-1")};
    if (owner)
        assert_int_equal(keyvalue_list_append(&eni->tags, TAG_INSTANCE_ID, owner), 0);
    if (created)
        assert_int_equal(keyvalue_list_append(&eni->tags, TAG_CREATED, created), 0);
}

static int start(Fixture *fixture)
{
    int r;

    r = sweep_start(&fixture->sweep, fixture->cloud.aws, fixture->cloud.event, &fixture->leftovers,
                    FAKE_CLOCK_REALTIME, on_done, fixture);
    assert_int_equal(fixture->leftovers.n_network_interfaces, 0);
    return r;
}

static void answer_instances(const Fixture *fixture, const char *const *ids_and_states)
{
    _cleanup_buf_ Buf xml = BUF_NULL;

    for (size_t i = 0; ids_and_states[i]; i += 2)
        assert_int_equal(buf_printf(&xml,
                                    "<item><instancesSet><item><instanceId>%s</instanceId><instanceState>"
                                    "<name>%s</name></instanceState></item></instancesSet></item>",
                                    ids_and_states[i], ids_and_states[i + 1]),
                         0);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, INSTANCES), "<reservationSet>%s</reservationSet>",
                     xml.data ? xml.data : "");
}

static void test_nothing_to_do(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(start(fixture), SWEEP_E_NOTHING);
    add(fixture, "eni-1", "i-2", YOUNG);
    add(fixture, "eni-2", "i-2", NULL);
    add(fixture, "eni-3", "i-2", "yesterday");
    add(fixture, "eni-4", NULL, OLD);
    assert_int_equal(start(fixture), SWEEP_E_NOTHING);
    assert_null(fixture->sweep);
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 0);
}

static void test_only_what_lost_its_instance(void **state)
{
    static const char *const instances[] = {"i-2",     "running", "i-3",           "terminated", "i-4",
                                            "stopped", "i-5",     "shutting-down", NULL};
    static const char *const gone[] = {"eni-3", "eni-6", "eni-7"};
    Fixture *fixture = *state;
    const FakeCall *call;

    add(fixture, "eni-1", "i-3", YOUNG);
    add(fixture, "eni-2", "i-2", OLD);
    add(fixture, "eni-3", "i-3", OLD);
    add(fixture, "eni-4", "i-4", OLD);
    add(fixture, "eni-5", "i-5", OLD);
    add(fixture, "eni-6", "i-6", OLD);
    add(fixture, "eni-7", "i-6", OLD);
    assert_int_equal(start(fixture), 0);
    call = fake_aws_pending(fixture->cloud.aws, INSTANCES);
    assert_true(fake_call_has(call, "Filter.1.Name", "instance-id"));
    assert_true(fake_call_has(call, "Filter.1.Value.5", "i-6"));
    assert_true(fake_call_has(call, "Filter.1.Value.6", NULL));
    answer_instances(fixture, instances);

    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 1);
        assert_true(
            fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", gone[i]));
        assert_int_equal(fixture->n_done, 0);
        if (i == 0) /* another node was faster */
            cloud_fail(&fixture->cloud, DELETE, "InvalidNetworkInterfaceID.NotFound", "gone");
        else if (i == 1)
            cloud_fail(&fixture->cloud, DELETE, "UnauthorizedOperation", "not you");
        else
            cloud_answer(&fixture->cloud, DELETE);
    }
    assert_int_equal(fixture->n_done, 1);
}

static void test_ask_fails(void **state)
{
    Fixture *fixture = *state;

    add(fixture, "eni-1", "i-2", OLD);
    assert_int_equal(start(fixture), 0);
    cloud_fail(&fixture->cloud, INSTANCES, "UnauthorizedOperation", "not you");
    assert_int_equal(fixture->n_done, 1);
    assert_int_equal(cloud_count(&fixture->cloud, DELETE), 0);
}

/* A filter takes 200 values: nothing may be deleted before all owners were asked for. */
static void test_many_owners(void **state)
{
    static const char *const none[] = {NULL}, *const last[] = {"i-449", "running", NULL};
    static const char *const first_values[] = {"i-0", "i-200", "i-400"};
    Fixture *fixture = *state;
    char eni[16], instance[16];

    for (unsigned i = 0; i < 450; i++) {
        (void)snprintf(eni, sizeof(eni), "eni-%u", i);
        (void)snprintf(instance, sizeof(instance), "i-%u", i);
        add(fixture, eni, instance, OLD);
    }
    assert_int_equal(start(fixture), 0);
    for (size_t i = 0; i < 3; i++) {
        const FakeCall *call = fake_aws_pending(fixture->cloud.aws, INSTANCES);

        assert_true(fake_call_has(call, "Filter.1.Value.1", first_values[i]));
        assert_true(fake_call_has(call, "Filter.1.Value.201", NULL));
        assert_int_equal(cloud_count(&fixture->cloud, DELETE), 0);
        answer_instances(fixture, i == 2 ? last : none);
    }
    while (fixture->n_done == 0)
        cloud_answer(&fixture->cloud, DELETE);
    assert_int_equal(cloud_count(&fixture->cloud, DELETE), 449);
}

static void test_freed_at_any_time(void **state)
{
    static const char *const none[] = {NULL};
    Fixture *fixture = *state;

    for (unsigned i = 0; i < 2; i++) {
        add(fixture, "eni-1", "i-2", OLD);
        assert_int_equal(start(fixture), 0);
        if (i == 1)
            answer_instances(fixture, none);
        fixture->sweep = sweep_free(fixture->sweep);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
    }
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_to_do), TEST(test_only_what_lost_its_instance), TEST(test_ask_fails),
        TEST(test_many_owners),   TEST(test_freed_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
