/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of one interface, edge by edge, against a fake of AWS that answers when and as the test
 * wants. What was told to the handler is kept as words: "created attached ready".
 */

#include "eni/eni.h"
#include "eni/intent.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>

#define CREATE  "CreateNetworkInterface"
#define ATTACH  "AttachNetworkInterface"
#define MODIFY  "ModifyNetworkInterfaceAttribute"
#define LOOK    "DescribeNetworkInterfaces"
#define DETACH  "DetachNetworkInterface"
#define DELETE  "DeleteNetworkInterface"
#define NO_ENI  "InvalidNetworkInterfaceID.NotFound"
#define IN_USE  "InvalidParameterValue"
#define IN_USE_ "Instance 'i-1' already has an interface attached at device index '1'."

typedef struct Fixture {
    Cloud cloud;
    Allocator *allocator;
    Intents *intents;
    DeviceIndexes indexes;
    EniContext context;
    DesiredEni desired;
    Ec2NetworkInterface observed; /* with an id: adopted */
    EniPlan plan;
    Eni *eni;
    Buf told;
    int give_up_at; /* an EniEventType, inside whose handler it is given up; -1: none */
    size_t n_attach_at_created;
} Fixture;

static void on_event(Eni *eni, EniEventType event, void *userdata)
{
    static const char *const names[] = {
        [ENI_EVENT_CREATED] = "created", [ENI_EVENT_ATTACHED] = "attached", [ENI_EVENT_READY] = "ready",
        [ENI_EVENT_PRESENT] = "present", [ENI_EVENT_LOST] = "lost",         [ENI_EVENT_FAILED] = "failed",
    };
    Fixture *fixture = userdata;

    assert_int_equal(buf_printf(&fixture->told, "%s%s", fixture->told.n > 0 ? " " : "", names[event]), 0);
    if (event == ENI_EVENT_CREATED)
        fixture->n_attach_at_created += fake_aws_n_pending(fixture->cloud.aws, ATTACH);
    if (event == ENI_EVENT_FAILED)
        assert_int_equal(eni_state(eni), ENI_STATE_FAILED);
    if ((int)event == fixture->give_up_at)
        eni_give_up(eni, "the host cannot");
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    desired_init(&fixture->desired, "oam");
    assert_int_equal(allocator_new(&fixture->allocator, fixture->cloud.aws, CLOUD_DEADLINE), 0);
    assert_int_equal(intents_load(&fixture->intents, fixture->cloud.path, CLOUD_INSTANCE), 0);
    device_indexes_take(&fixture->indexes, 0, 1);
    fixture->give_up_at = -1;
    fixture->context = (EniContext){
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .allocator = fixture->allocator,
        .intents = fixture->intents,
        .indexes = &fixture->indexes,
        .instance_id = CLOUD_INSTANCE,
        .deadline = CLOUD_DEADLINE,
        .handler = on_event,
        .userdata = fixture,
    };
    fixture->plan = (EniPlan){.desired = &fixture->desired,
                              .steps = STEP_CREATE | STEP_ATTACH | STEP_MODIFY_DELETE_ON_TERMINATION,
                              .device_index = 1};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)eni_free(fixture->eni);
    (void)allocator_free(fixture->allocator);
    (void)intents_free(fixture->intents);
    desired_eni_done(&fixture->desired);
    ec2_network_interface_done(&fixture->observed);
    buf_done(&fixture->told);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

/* It was there before: attached at that index when it is above 0. */
static void adopt(Fixture *fixture, unsigned index, unsigned steps)
{
    fixture->observed.network_interface_id = strdup("eni-0");
    if (index > 0)
        fixture->observed.attachment = (Ec2Attachment){.attachment_id = strdup("attach-0"),
                                                       .instance_id = strdup(CLOUD_INSTANCE),
                                                       .device_index = index};
    fixture->plan = (EniPlan){.desired = &fixture->desired,
                              .observed = &fixture->observed,
                              .steps = steps,
                              .device_index = index > 0 ? index : 1};
}

static void start(Fixture *fixture)
{
    assert_int_equal(eni_new(&fixture->eni, &fixture->context, &fixture->plan), 0);
    eni_start(fixture->eni);
}

static void restart(Fixture *fixture)
{
    fixture->eni = eni_free(fixture->eni);
    start(fixture);
}

static void start_created(Fixture *fixture)
{
    start(fixture);
    cloud_answer_create(&fixture->cloud, "eni-1");
}

static void start_attached(Fixture *fixture)
{
    start_created(fixture);
    cloud_answer_attach(&fixture->cloud, "attach-1");
}

static void start_ready(Fixture *fixture)
{
    start_attached(fixture);
    cloud_answer(&fixture->cloud, MODIFY);
    assert_int_equal(eni_state(fixture->eni), ENI_STATE_READY);
}

/* The answer to a look: eni_id at that instance and index, or nothing with eni_id NULL. */
static void answer_look(Fixture *fixture, const char *eni_id, const char *instance, unsigned index,
                        const char *status)
{
    _cleanup_buf_ Buf items = BUF_NULL;

    eni_item(&items, "eni-primary", CLOUD_INSTANCE, 0, "attached");
    if (eni_id)
        eni_item(&items, eni_id, instance, index, status);
    cloud_answer_look(&fixture->cloud, &items);
}

/* The answer to a look for this one alone. */
static void answer_look_for(Fixture *fixture, const char *eni_id, const char *instance)
{
    _cleanup_buf_ Buf items = BUF_NULL;

    eni_item(&items, eni_id, instance, 1, "attached");
    cloud_answer_look(&fixture->cloud, &items);
}

static void assert_told(const Fixture *fixture, const char *expected)
{
    assert_string_equal(fixture->told.data ? fixture->told.data : "", expected);
}

static void assert_state(const Fixture *fixture, EniState state)
{
    assert_string_equal(eni_state_to_string(eni_state(fixture->eni)), eni_state_to_string(state));
}

static void assert_error_has(const Fixture *fixture, const char *part)
{
    const char *error = eni_error(fixture->eni);

    if (!error || !strstr(error, part))
        fail_msg("'%s' is not in: %s", part, error ? error : "(no error)");
}

static void test_good(void **state)
{
    Fixture *fixture = *state;
    FakeCall *call;

    fixture->desired.source_dest_check = false;
    start(fixture);
    assert_state(fixture, ENI_STATE_CREATING);
    assert_null(eni_record(fixture->eni));
    call = fake_aws_pending(fixture->cloud.aws, CREATE);
    assert_true(call->deadline == CLOUD_DEADLINE);
    assert_int_equal(call->flags, 0);

    cloud_answer_create(&fixture->cloud, "eni-1");
    assert_state(fixture, ENI_STATE_ATTACHING);
    assert_told(fixture, "created");
    assert_int_equal(fixture->n_attach_at_created, 0);
    assert_false(eni_is_adopted(fixture->eni));
    call = fake_aws_pending(fixture->cloud.aws, ATTACH);
    assert_true(fake_call_has(call, "NetworkInterfaceId", "eni-1"));
    assert_true(fake_call_has(call, "InstanceId", CLOUD_INSTANCE));
    assert_true(fake_call_has(call, "DeviceIndex", "1"));
    assert_true(fake_call_has(call, "NetworkCardIndex", "0"));
    assert_int_equal(call->flags, AWS_CALL_RETRY_NOT_FOUND | AWS_CALL_NO_BLIND_RETRY);

    cloud_answer_attach(&fixture->cloud, "attach-1");
    assert_state(fixture, ENI_STATE_MODIFYING);
    assert_told(fixture, "created attached");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, MODIFY), 2);
    call = fake_aws_pending_with(fixture->cloud.aws, MODIFY, "Attachment.AttachmentId", "attach-1");
    assert_true(fake_call_has(call, "Attachment.DeleteOnTermination", "true"));
    fake_call_answer(call, "<return>true</return>");
    assert_state(fixture, ENI_STATE_MODIFYING);
    call = fake_aws_pending_with(fixture->cloud.aws, MODIFY, "SourceDestCheck.Value", "false");
    fake_call_answer(call, "<return>true</return>");
    assert_state(fixture, ENI_STATE_READY);
    assert_told(fixture, "created attached ready");
    assert_null(eni_error(fixture->eni));
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 4);
}

static void test_adopted_as_wanted(void **state)
{
    Fixture *fixture = *state;

    adopt(fixture, 3, 0);
    start(fixture);
    assert_told(fixture, "created attached ready");
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 0);
    assert_true(eni_is_adopted(fixture->eni));
    assert_int_equal(eni_device_index(fixture->eni), 3);
}

static void test_adopted_to_attach(void **state)
{
    Fixture *fixture = *state;

    adopt(fixture, 0, STEP_ATTACH | STEP_MODIFY_GROUPS);
    start(fixture);
    assert_told(fixture, "created");
    cloud_answer_attach(&fixture->cloud, "attach-1");
    assert_non_null(fake_aws_pending_with(fixture->cloud.aws, MODIFY, "SecurityGroupId.1", "sg-1"));
    cloud_answer(&fixture->cloud, MODIFY);
    assert_told(fixture, "created attached ready");
}

static void test_address_in_use(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.ip_allocation = IP_ALLOCATION_SUBNET_START;
    start(fixture);
    assert_state(fixture, ENI_STATE_ALLOCATING);
    cloud_answer_lists(&fixture->cloud);
    assert_state(fixture, ENI_STATE_CREATING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "PrivateIpAddress", "10.0.1.4"));

    for (unsigned i = 0; i < 3; i++) { /* the third time the lists are fetched again */
        assert_state(fixture, ENI_STATE_CREATING);
        cloud_fail(&fixture->cloud, CREATE, "InvalidIPAddress.InUse", "taken");
    }
    cloud_answer_lists(&fixture->cloud);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "PrivateIpAddress", "10.0.1.7"));
    cloud_answer_create(&fixture->cloud, "eni-1");
    assert_told(fixture, "created");
}

static void test_subnet_start_fails(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.ip_allocation = IP_ALLOCATION_SUBNET_START;
    start(fixture);
    cloud_fail(&fixture->cloud, "GetSubnetCidrReservations", "UnauthorizedOperation", "not you");
    assert_error_has(fixture, "GetSubnetCidrReservations: UnauthorizedOperation: not you");
    restart(fixture);
    cloud_answer_look(&fixture->cloud, NULL);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, "GetSubnetCidrReservations"),
                     "<subnetIpv4CidrReservationSet><item><cidr>10.0.1.0/24</cidr>"
                     "<reservationType>explicit</reservationType></item></subnetIpv4CidrReservationSet>");
    assert_error_has(fixture, "no address is free in subnet-1");
}

/* With dynamic allocation EC2 chooses, and "in use" is its last word. */
static void test_create_fails(void **state)
{
    Fixture *fixture = *state;

    start(fixture);
    cloud_fail(&fixture->cloud, CREATE, "InvalidIPAddress.InUse", "taken");
    assert_told(fixture, "failed");
    assert_error_has(fixture, "creating the interface of network oam in subnet-1");
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 1);
}

/* Nobody knows what became of it: what it may have made is looked for by its tags, and deleted. */
static void test_create_unknown(void **state)
{
    Fixture *fixture = *state;

    start(fixture);
    fake_call_lose(fake_aws_pending(fixture->cloud.aws, CREATE));
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_non_null(fake_aws_pending_with(fixture->cloud.aws, LOOK, "Filter.2.Value.1", "oam"));
    answer_look(fixture, NULL, NULL, 0, NULL);
    assert_told(fixture, "failed");
    assert_null(strstr(eni_error(fixture->eni), "left behind"));
    restart(fixture);
    eni_give_up(fixture->eni, "too late");
    answer_look(fixture, "eni-1", NULL, 0, NULL);
    cloud_fail(&fixture->cloud, DELETE, "UnauthorizedOperation", "not you");
    assert_error_has(fixture, "too late; eni-1 is left behind");
    restart(fixture);
    eni_give_up(fixture->eni, "too late");
    cloud_fail(&fixture->cloud, LOOK, "UnauthorizedOperation", "not you");
    assert_error_has(fixture, "too late; an interface may be left behind");
    restart(fixture);
    cloud_fail(&fixture->cloud, CREATE, "UnauthorizedOperation", "not you");
    assert_null(strstr(eni_error(fixture->eni), "left behind"));
}

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

static void test_modify_fails(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.source_dest_check = false;
    start_attached(fixture);
    cloud_fail(&fixture->cloud, MODIFY, "UnauthorizedOperation", "no modify");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, MODIFY), 0);
    assert_state(fixture, ENI_STATE_REMOVING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, DETACH), "AttachmentId", "attach-1"));
    cloud_answer(&fixture->cloud, DETACH);
    cloud_answer(&fixture->cloud, DELETE);
    assert_told(fixture, "created attached failed");
    assert_error_has(fixture, "setting an attribute of eni-1 (network oam)");
}

static void test_modify_adopted_fails(void **state)
{
    Fixture *fixture = *state;

    adopt(fixture, 1, STEP_MODIFY_SOURCE_DEST_CHECK);
    start(fixture);
    cloud_fail(&fixture->cloud, MODIFY, "UnauthorizedOperation", "no modify");
    assert_told(fixture, "created attached failed");
    assert_int_equal(fake_aws_n(fixture->cloud.aws), 1);
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

/* ----------------- given up, freed, inside handlers; this brings a new object into a state */

static void reach(Fixture *fixture, EniState wanted)
{
    fixture->desired.ip_allocation =
        wanted == ENI_STATE_ALLOCATING ? IP_ALLOCATION_SUBNET_START : IP_ALLOCATION_DYNAMIC;
    assert_int_equal(eni_new(&fixture->eni, &fixture->context, &fixture->plan), 0);
    if (wanted != ENI_STATE_NEW)
        eni_start(fixture->eni);
    if (wanted == ENI_STATE_NEW || wanted == ENI_STATE_ALLOCATING || wanted == ENI_STATE_CREATING)
        return;
    cloud_answer_create(&fixture->cloud, "eni-1");
    if (wanted == ENI_STATE_LOOKING || wanted == ENI_STATE_PAUSING)
        fake_call_lose(fake_aws_pending(fixture->cloud.aws, ATTACH));
    if (wanted == ENI_STATE_PAUSING)
        answer_look(fixture, NULL, NULL, 0, NULL);
    if (wanted == ENI_STATE_MODIFYING || wanted == ENI_STATE_READY)
        cloud_answer_attach(&fixture->cloud, "attach-1");
    if (wanted == ENI_STATE_READY)
        cloud_answer(&fixture->cloud, MODIFY);
    if (wanted == ENI_STATE_REMOVING || wanted == ENI_STATE_FAILED)
        cloud_fail(&fixture->cloud, ATTACH, "AttachmentLimitExceeded", "too many");
    if (wanted == ENI_STATE_FAILED)
        cloud_answer(&fixture->cloud, DELETE);
}

static void test_freed_in_every_state(void **state)
{
    Fixture *fixture = *state;

    for (EniState at = ENI_STATE_NEW; at < _ENI_STATE_MAX; at++) {
        reach(fixture, at);
        assert_state(fixture, at);
        fixture->eni = eni_free(fixture->eni);
        if (at == ENI_STATE_ALLOCATING)
            cloud_answer_lists(&fixture->cloud); /* which serve others too */
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
        assert_true(fake_clock_next() == USEC_INFINITY);
    }
}

static void test_given_up_in_every_state(void **state)
{
    Fixture *fixture = *state;

    for (EniState at = ENI_STATE_NEW; at < _ENI_STATE_MAX; at++) {
        bool exists = at >= ENI_STATE_ATTACHING, over = at == ENI_STATE_FAILED,
             perhaps = at == ENI_STATE_CREATING;

        reach(fixture, at);
        buf_reset(&fixture->told);
        eni_give_up(fixture->eni, "the host cannot");
        if (at == ENI_STATE_ALLOCATING)
            cloud_answer_lists(&fixture->cloud);
        assert_state(fixture, perhaps || (exists && !over) ? ENI_STATE_REMOVING : ENI_STATE_FAILED);
        if (at == ENI_STATE_MODIFYING || at == ENI_STATE_READY)
            cloud_answer(&fixture->cloud, DETACH);
        if (perhaps)
            answer_look(fixture, "eni-1", NULL, 0, NULL);
        if (perhaps || (exists && !over))
            cloud_answer(&fixture->cloud, DELETE);
        assert_told(fixture, over ? "" : "failed");
        assert_error_has(fixture, at >= ENI_STATE_REMOVING ? "too many" : "the host cannot");
        fixture->eni = eni_free(fixture->eni);
    }
}

static void test_given_up_inside_handlers(void **state)
{
    static const struct {
        int event;
        unsigned adopted_index;
        const char *pending;
    } rows[] = {
        {ENI_EVENT_CREATED, 0, DELETE}, {ENI_EVENT_ATTACHED, 0, DETACH}, {ENI_EVENT_READY, 0, DETACH},
        {ENI_EVENT_CREATED, 1, NULL},   {ENI_EVENT_ATTACHED, 1, NULL},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fixture->give_up_at = rows[i].event;
        if (rows[i].adopted_index > 0 && !fixture->observed.network_interface_id)
            adopt(fixture, rows[i].adopted_index, STEP_MODIFY_SOURCE_DEST_CHECK);
        start(fixture);
        if (rows[i].adopted_index == 0)
            cloud_answer_create(&fixture->cloud, "eni-1");
        if (rows[i].adopted_index == 0 && rows[i].event != ENI_EVENT_CREATED)
            cloud_answer_attach(&fixture->cloud, "attach-1");
        if (rows[i].event == ENI_EVENT_READY)
            cloud_answer(&fixture->cloud, MODIFY);
        assert_state(fixture, rows[i].pending ? ENI_STATE_REMOVING : ENI_STATE_FAILED);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), rows[i].pending != NULL);
        if (rows[i].pending)
            (void)fake_aws_pending(fixture->cloud.aws, rows[i].pending);
        fixture->eni = eni_free(fixture->eni);
    }
}

/* Left over by a predecessor, and the host refuses it in the very first event. */
static void test_adopted_given_up_at_once(void **state)
{
    Fixture *fixture = *state;

    fixture->give_up_at = ENI_EVENT_CREATED;
    adopt(fixture, 0, STEP_ATTACH);
    start(fixture);
    assert_state(fixture, ENI_STATE_REMOVING);
    cloud_answer(&fixture->cloud, DELETE);
    assert_told(fixture, "created failed");
}

static void test_given_up_when_lost(void **state)
{
    Fixture *fixture = *state;

    fixture->give_up_at = ENI_EVENT_LOST;
    start_created(fixture);
    cloud_fail(&fixture->cloud, ATTACH, NO_ENI, "gone");
    assert_state(fixture, ENI_STATE_REMOVING);
    cloud_fail(&fixture->cloud, DELETE, NO_ENI, "gone");
    assert_told(fixture, "created lost failed");
    assert_int_equal(cloud_count(&fixture->cloud, CREATE), 1);
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_good),
                                       TEST(test_adopted_as_wanted),
                                       TEST(test_adopted_to_attach),
                                       TEST(test_address_in_use),
                                       TEST(test_subnet_start_fails),
                                       TEST(test_create_fails),
                                       TEST(test_create_unknown),
                                       TEST(test_lost_reply_attached),
                                       TEST(test_lost_reply_not_attached),
                                       TEST(test_detaching_is_not_attached),
                                       TEST(test_attached_at_other_instance),
                                       TEST(test_index_taken_auto),
                                       TEST(test_index_taken_explicit),
                                       TEST(test_no_index_left),
                                       TEST(test_vanished),
                                       TEST(test_instance_not_found),
                                       TEST(test_attach_limit),
                                       TEST(test_attach_denied_and_delete_too),
                                       TEST(test_lost_reply_at_deadline),
                                       TEST(test_modify_fails),
                                       TEST(test_modify_adopted_fails),
                                       TEST(test_look_present),
                                       TEST(test_look_while_modifying),
                                       TEST(test_look_present_and_given_up),
                                       TEST(test_look_detached),
                                       TEST(test_look_lost),
                                       TEST(test_look_fails),
                                       TEST(test_freed_in_every_state),
                                       TEST(test_given_up_in_every_state),
                                       TEST(test_given_up_inside_handlers),
                                       TEST(test_adopted_given_up_at_once),
                                       TEST(test_given_up_when_lost)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
