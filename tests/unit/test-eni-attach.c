/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Attaching one interface when EC2 does not simply say yes: lost replies, taken indexes, interfaces and
 * devices that are not where they should be.
 */

#include "lib/fake-aws/one-eni.h"
#include "lib/test.h"
#include <stdio.h>

static void test_lost_reply_attached(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    fake_call_lose(fake_aws_pending(fixture->cloud.aws, ATTACH));
    assert_state(fixture, ENI_STATE_LOOKING);
    assert_true(
        fake_call_has(fake_aws_pending(fixture->cloud.aws, LOOK), "Filter.1.Value.1", CLOUD_INSTANCE));
    answer_look(fixture, "eni-1", CLOUD_INSTANCE, 2, "attaching");
    assert_told(fixture, "created attached");
    assert_int_equal(eni_device_index(fixture->eni), 2);
    assert_non_null(
        fake_aws_pending_with(fixture->cloud.aws, MODIFY, "Attachment.AttachmentId", "attach-eni-1"));
    assert_int_equal(cloud_count(&fixture->cloud, ATTACH), 1);
}

static void test_lost_reply_not_attached(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    for (usec_t pause = 250 * USEC_PER_MSEC, n = 1; n < 8; n++) {
        fake_call_lose(fake_aws_pending(fixture->cloud.aws, ATTACH));
        answer_look(fixture, NULL, NULL, 0, NULL);
        assert_state(fixture, ENI_STATE_PAUSING);
        assert_true(fake_clock_next() == pause);
        fake_clock_advance(fixture->cloud.event, pause);
        assert_state(fixture, ENI_STATE_ATTACHING);
        pause = MIN(2 * pause, 8 * USEC_PER_SEC);
    }
    cloud_answer_attach(&fixture->cloud, "attach-1");
    assert_told(fixture, "created attached");
    assert_int_equal(cloud_count(&fixture->cloud, CREATE), 1);
}

static void test_detaching_is_not_attached(void **state)
{
    static const char *const gone[] = {"detaching", "detached"};
    Fixture *fixture = *state;

    start_created(fixture);
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        cloud_fail(&fixture->cloud, ATTACH, "InvalidNetworkInterface.InUse", "in use");
        assert_state(fixture, ENI_STATE_LOOKING);
        answer_look(fixture, "eni-1", CLOUD_INSTANCE, 1, gone[i]);
        assert_state(fixture, ENI_STATE_PAUSING);
        fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, ATTACH), "DeviceIndex", "1"));
    assert_told(fixture, "created");
}

static void test_attached_at_other_instance(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    while (eni_state(fixture->eni) != ENI_STATE_REMOVING) {
        cloud_fail(&fixture->cloud, ATTACH, "InvalidNetworkInterface.InUse", "in use");
        answer_look(fixture, NULL, NULL, 0, NULL);
        if (eni_state(fixture->eni) == ENI_STATE_PAUSING)
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    cloud_fail(&fixture->cloud, DELETE, "InvalidNetworkInterface.InUse", "in use");
    answer_look_for(fixture, "eni-1", "i-2");
    assert_int_equal(cloud_count(&fixture->cloud, DETACH), 0);
    assert_told(fixture, "created failed");
    assert_error_has(fixture, "could not be attached before boot_timeout: EC2 calls it attached");
    assert_error_has(fixture, "eni-1 is left behind");
    assert_error_has(fixture, "attached to i-2");
}

static void test_index_taken_auto(void **state)
{
    Fixture *fixture = *state;
    _cleanup_buf_ Buf items = BUF_NULL;

    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, IN_USE, IN_USE_);
    assert_state(fixture, ENI_STATE_LOOKING);
    eni_item(&items, "eni-other", CLOUD_INSTANCE, 1, "attached");
    eni_item(&items, "eni-third", CLOUD_INSTANCE, 2, "attached");
    cloud_answer_look(&fixture->cloud, &items);
    assert_state(fixture, ENI_STATE_ATTACHING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, ATTACH), "DeviceIndex", "3"));
    cloud_answer_attach(&fixture->cloud, "attach-1");
    assert_int_equal(eni_device_index(fixture->eni), 3);
}

/* At index 1: one with our tags, of that network and subnet. */
static void answer_holder(Fixture *fixture, const char *network, const char *subnet)
{
    fake_call_answer(
        fake_aws_pending(fixture->cloud.aws, LOOK),
        "<networkInterfaceSet><item><networkInterfaceId>eni-x</networkInterfaceId>"
        "<subnetId>%s</subnetId><macAddress>02:00:00:00:00:09</macAddress>"
        "<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-1</groupId></item>"
        "</groupSet><attachment><attachmentId>attach-x</attachmentId><instanceId>i-1</instanceId>"
        "<deviceIndex>1</deviceIndex><status>attached</status></attachment><tagSet>"
        "<item><key>multus-eks:instance-id</key><value>i-1</value></item>"
        "<item><key>multus-eks:network</key><value>%s</value></item></tagSet></item>"
        "</networkInterfaceSet>",
        subnet, network);
}

/* A killed run's Attach was carried out when we had made another one: that one is adopted, ours goes. */
static void test_index_taken_by_our_own(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, IN_USE, IN_USE_);
    answer_holder(fixture, "oam", "subnet-1");
    assert_told(fixture, "created lost created attached");
    assert_true(eni_is_adopted(fixture->eni));
    assert_string_equal(eni_record(fixture->eni)->network_interface_id, "eni-x");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, MODIFY), 1); /* DeleteOnTermination */
    cloud_answer(&fixture->cloud, MODIFY);
    assert_state(fixture, ENI_STATE_MODIFYING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-1"));
    cloud_answer(&fixture->cloud, DELETE);
    assert_told(fixture, "created lost created attached ready");
    assert_int_equal(cloud_count(&fixture->cloud, ATTACH), 1);

    /* That it cannot be deleted is no failure of the network; and what was adopted stays, whatever comes. */
    restart(fixture);
    cloud_answer_create(&fixture->cloud, "eni-2");
    cloud_fail(&fixture->cloud, ATTACH, IN_USE, IN_USE_);
    answer_holder(fixture, "oam", "subnet-1");
    cloud_answer(&fixture->cloud, MODIFY);
    cloud_fail(&fixture->cloud, DELETE, "UnauthorizedOperation", "not you");
    assert_state(fixture, ENI_STATE_READY);
    eni_give_up(fixture->eni, "the host cannot");
    assert_state(fixture, ENI_STATE_FAILED);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
}

/* Ours, but of another network, or in another subnet: not the one that is wanted. */
static void test_index_taken_by_another_of_ours(void **state)
{
    Fixture *fixture = *state;

    for (unsigned i = 0; i < 2; i++) {
        restart(fixture);
        cloud_answer_create(&fixture->cloud, "eni-1");
        cloud_fail(&fixture->cloud, ATTACH, IN_USE, IN_USE_);
        answer_holder(fixture, i == 0 ? "media" : "oam", i == 0 ? "subnet-1" : "subnet-2");
        assert_true(
            fake_call_has(fake_aws_pending(fixture->cloud.aws, ATTACH), "DeviceIndex", i == 0 ? "2" : "3"));
        assert_false(eni_is_adopted(fixture->eni));
    }
    assert_told(fixture, "created created");
}

static void test_index_taken_explicit(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.device_index = 1;
    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, IN_USE, IN_USE_);
    answer_look(fixture, "eni-other", CLOUD_INSTANCE, 1, "attached");
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-1"));
    cloud_answer(&fixture->cloud, DELETE);
    assert_told(fixture, "created failed");
    assert_error_has(fixture, "device index 1 of network card 0 is held by eni-other");
}

static void test_no_index_left(void **state)
{
    Fixture *fixture = *state;

    for (unsigned i = 1; i < DEVICE_INDEX_MAX; i++)
        device_indexes_take(&fixture->indexes, 0, i);
    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, IN_USE, IN_USE_);
    answer_look(fixture, "eni-other", CLOUD_INSTANCE, 1, "attached");
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_error_has(fixture, "no device index is free on network card 0");
}

static void test_vanished(void **state)
{
    Fixture *fixture = *state;
    char token[3][80];

    start(fixture);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(token[i], sizeof(token[i]), "%s",
                       fake_call_get(fake_aws_pending(fixture->cloud.aws, CREATE), "ClientToken"));
        if (i > 0)
            assert_string_not_equal(token[i], token[i - 1]);
        cloud_answer_create(&fixture->cloud, "eni-1");
        fake_clock_advance(fixture->cloud.event, USEC_PER_MINUTE); /* the call tries for so long */
        cloud_fail(&fixture->cloud, ATTACH, NO_ENI, "gone");
    }
    assert_told(fixture, "created lost created lost created failed");
    assert_error_has(fixture, "vanished 3 times");
    assert_int_equal(cloud_count(&fixture->cloud, DELETE), 0);
    assert_null(eni_record(fixture->eni));
}

/* What is missing is not the interface: it must not be forgotten. */
static void test_instance_not_found(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, "InvalidInstanceID.NotFound", "i-1 does not exist");
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DELETE), "NetworkInterfaceId", "eni-1"));
    assert_int_equal(cloud_count(&fixture->cloud, CREATE), 1);
}

static void test_attach_limit(void **state)
{
    Fixture *fixture = *state;
    const char *created;
    char before[40];

    start_created(fixture);
    assert_int_equal(intents_get(fixture->intents, "oam", FAKE_CLOCK_REALTIME, &created), 0);
    (void)snprintf(before, sizeof(before), "%s", created);
    cloud_fail(&fixture->cloud, ATTACH, "AttachmentLimitExceeded", "too many");
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_int_equal(cloud_count(&fixture->cloud, DETACH), 0);
    assert_told(fixture, "created");
    cloud_answer(&fixture->cloud, DELETE);
    assert_told(fixture, "created failed");
    assert_error_has(fixture, "attaching eni-1 (network oam) at device index 1");
    assert_error_has(fixture, "AttachmentLimitExceeded");

    /* It is gone: the next one is another one. */
    assert_int_equal(intents_get(fixture->intents, "oam", FAKE_CLOCK_REALTIME + USEC_PER_SEC, &created), 0);
    assert_string_not_equal(created, before);
}

static void test_attach_denied_and_delete_too(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, "UnauthorizedOperation", "no attach");
    cloud_fail(&fixture->cloud, DELETE, "UnauthorizedOperation", "no delete");
    assert_told(fixture, "created failed");
    assert_error_has(fixture, "no attach");
    assert_error_has(fixture, "eni-1 is left behind");
    assert_error_has(fixture, "no delete");
}

/* At the deadline nothing is looked up any more, but an Attach that was carried out must not stay. */
static void test_lost_reply_at_deadline(void **state)
{
    Fixture *fixture = *state;

    start_created(fixture);
    fake_clock_advance(fixture->cloud.event, 300 * USEC_PER_SEC);
    fake_call_lose(fake_aws_pending(fixture->cloud.aws, ATTACH));
    assert_state(fixture, ENI_STATE_REMOVING);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, "Network interface 'eni-1' is currently in use.");
    answer_look_for(fixture, "eni-1", NULL);
    fake_clock_advance(fixture->cloud.event, USEC_PER_SEC);
    cloud_fail(&fixture->cloud, DELETE, IN_USE, "Network interface 'eni-1' is currently in use.");
    answer_look_for(fixture, "eni-1", CLOUD_INSTANCE);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DETACH), "AttachmentId", "attach-eni-1"));
    cloud_answer(&fixture->cloud, DETACH);
    cloud_answer(&fixture->cloud, DELETE);
    assert_told(fixture, "created failed");
    assert_null(strstr(eni_error(fixture->eni), "left behind"));
}

static void test_look_present(void **state)
{
    Fixture *fixture = *state;

    start_ready(fixture);
    eni_look(fixture->eni);
    answer_look(fixture, "eni-1", CLOUD_INSTANCE, 1, "attached");
    assert_told(fixture, "created attached ready present ready");
    assert_int_equal(cloud_count(&fixture->cloud, MODIFY), 1);
}

/* The attributes whose calls the look interrupted are set all the same. */
static void test_look_while_modifying(void **state)
{
    Fixture *fixture = *state;

    start_attached(fixture);
    eni_look(fixture->eni);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, MODIFY), 0);
    answer_look(fixture, "eni-1", CLOUD_INSTANCE, 1, "attached");
    assert_told(fixture, "created attached present");
    assert_state(fixture, ENI_STATE_MODIFYING);
    cloud_answer(&fixture->cloud, MODIFY);
    assert_told(fixture, "created attached present ready");
}

static void test_look_present_and_given_up(void **state)
{
    Fixture *fixture = *state;

    fixture->give_up_at = ENI_EVENT_PRESENT;
    start_ready(fixture);
    eni_look(fixture->eni);
    answer_look(fixture, "eni-1", CLOUD_INSTANCE, 1, "attached");
    assert_told(fixture, "created attached ready present");
    assert_state(fixture, ENI_STATE_REMOVING);
}

static void test_look_detached(void **state)
{
    Fixture *fixture = *state;

    start_ready(fixture);
    eni_look(fixture->eni);
    answer_look(fixture, NULL, NULL, 0, NULL);
    fake_clock_advance(fixture->cloud.event, fake_clock_next());
    cloud_answer_attach(&fixture->cloud, "attach-2");
    assert_non_null(fake_aws_pending_with(fixture->cloud.aws, MODIFY, "Attachment.AttachmentId", "attach-2"));
    cloud_answer(&fixture->cloud, MODIFY);
    assert_told(fixture, "created attached ready attached ready");
}

static void test_look_lost(void **state)
{
    Fixture *fixture = *state;

    adopt(fixture, 1, 0);
    start(fixture);
    eni_look(fixture->eni);
    answer_look(fixture, NULL, NULL, 0, NULL);
    fake_clock_advance(fixture->cloud.event, fake_clock_next());
    cloud_fail(&fixture->cloud, ATTACH, NO_ENI, "gone");
    assert_state(fixture, ENI_STATE_CREATING);
    cloud_answer_create(&fixture->cloud, "eni-1");
    assert_false(eni_is_adopted(fixture->eni));
    assert_told(fixture, "created attached ready lost created");
}

static void test_look_fails(void **state)
{
    Fixture *fixture = *state;

    start_ready(fixture);
    eni_look(fixture->eni);
    cloud_fail(&fixture->cloud, LOOK, "UnauthorizedOperation", "no look");
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_error_has(fixture, "looking for eni-1 (network oam)");
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, one_eni_setup, one_eni_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lost_reply_attached),
        TEST(test_lost_reply_not_attached),
        TEST(test_detaching_is_not_attached),
        TEST(test_attached_at_other_instance),
        TEST(test_index_taken_auto),
        TEST(test_index_taken_by_our_own),
        TEST(test_index_taken_by_another_of_ours),
        TEST(test_index_taken_explicit),
        TEST(test_no_index_left),
        TEST(test_vanished),
        TEST(test_instance_not_found),
        TEST(test_attach_limit),
        TEST(test_attach_denied_and_delete_too),
        TEST(test_lost_reply_at_deadline),
        TEST(test_look_present),
        TEST(test_look_while_modifying),
        TEST(test_look_present_and_given_up),
        TEST(test_look_detached),
        TEST(test_look_lost),
        TEST(test_look_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
