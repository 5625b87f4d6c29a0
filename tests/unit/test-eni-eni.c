/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of one interface, edge by edge, against a fake of AWS that answers when and as the test
 * wants. What was told to the handler is kept as words: "created attached ready".
 */

#include "eni/intent.h"
#include "lib/fake-aws/one-eni.h"
#include "lib/test.h"
#include "util/sha256.h"
#include <stdio.h>

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

/* Each refusal costs a call of the account's bucket: it ends, and says how. */
static void test_every_address_in_use(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.ip_allocation = IP_ALLOCATION_SUBNET_START;
    start(fixture);
    while (eni_state(fixture->eni) != ENI_STATE_FAILED) {
        if (eni_state(fixture->eni) == ENI_STATE_ALLOCATING)
            cloud_answer_lists(&fixture->cloud);
        cloud_fail(&fixture->cloud, CREATE, "InvalidIPAddress.InUse", "taken");
    }
    assert_int_equal(cloud_count(&fixture->cloud, CREATE), 100);
    assert_told(fixture, "failed");
    assert_error_has(fixture, "100 addresses of subnet-1 in turn");
    assert_error_has(fixture, "InvalidIPAddress.InUse");
}

/*
 * A run that was killed has asked for 10.0.1.4, and may have got it: the list shows that address as taken,
 * and whose it is nobody knows. Asked for again, the same request is the same interface.
 */
static void test_address_asked_for_before(void **state)
{
    Fixture *fixture = *state;
    char token[SHA256_TEXT];

    fixture->desired.ip_allocation = IP_ALLOCATION_SUBNET_START;
    start(fixture);
    cloud_answer_lists(&fixture->cloud);
    (void)snprintf(token, sizeof(token), "%s",
                   fake_call_get(fake_aws_pending(fixture->cloud.aws, CREATE), "ClientToken"));

    fixture->eni = eni_free(fixture->eni);
    fixture->intents = intents_free(fixture->intents);
    fixture->allocator = allocator_free(fixture->allocator);
    assert_int_equal(intents_load(&fixture->intents, fixture->cloud.path, CLOUD_INSTANCE), 0);
    assert_int_equal(allocator_new(&fixture->allocator, fixture->cloud.aws, CLOUD_DEADLINE), 0);
    fixture->context.intents = fixture->intents;
    fixture->context.allocator = fixture->allocator;
    start(fixture);
    assert_state(fixture, ENI_STATE_CREATING);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "ClientToken", token));

    /* Another's after all: the next one, and that is remembered instead. */
    cloud_fail(&fixture->cloud, CREATE, "InvalidIPAddress.InUse", "taken");
    cloud_answer_lists(&fixture->cloud);
    restart(fixture);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "PrivateIpAddress", "10.0.1.5"));
}

/* What was asked for in another subnet, or without IPv6, is of no use. */
static void test_address_of_another_subnet(void **state)
{
    Fixture *fixture = *state;

    fixture->desired.ip_allocation = IP_ALLOCATION_SUBNET_START;
    start(fixture);
    cloud_answer_lists(&fixture->cloud);
    assert_int_equal(in_prefix_parse("10.0.2.0/24", &fixture->desired.cidr_block), 0);
    assert_int_equal(replace_string(&fixture->desired.subnet_id, "subnet-2"), 0);
    restart(fixture);
    assert_state(fixture, ENI_STATE_ALLOCATING);
    cloud_answer_lists(&fixture->cloud);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "PrivateIpAddress", "10.0.2.4"));
    fixture->desired.ipv6 = true;
    assert_int_equal(in_prefix_parse("2001:db8::/64", &fixture->desired.ipv6_cidr_block), 0);
    restart(fixture);
    assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, CREATE), "Ipv6Addresses.1.Ipv6Address",
                              "2001:db8::4"));
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
    while (eni_state(fixture->eni) == ENI_STATE_REMOVING) {
        answer_look(fixture, NULL, NULL, 0, NULL);
        if (eni_state(fixture->eni) == ENI_STATE_REMOVING)
            fake_clock_advance(fixture->cloud.event, fake_clock_next());
    }
    assert_told(fixture, "failed");
    assert_error_has(fixture, "an interface may be left behind: looking for what was created: ");
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
    assert_error_has(fixture, "setting DeleteOnTermination of eni-1 (network oam)");
}

/* What was attached before stays; that it will outlive its instance then is said. */
static void test_modify_adopted_fails(void **state)
{
    static const struct {
        unsigned steps;
        bool set, outlives;
    } rows[] = {
        {STEP_MODIFY_SOURCE_DEST_CHECK, true, false},
        {STEP_MODIFY_DELETE_ON_TERMINATION, false, true},
        {STEP_MODIFY_DELETE_ON_TERMINATION | STEP_MODIFY_SOURCE_DEST_CHECK, false,
         false}, /* the first succeeds */
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = fake_aws_n(fixture->cloud.aws);

        ec2_network_interface_done(&fixture->observed);
        adopt(fixture, 1, rows[i].steps);
        fixture->observed.attachment.delete_on_termination = rows[i].set;
        buf_reset(&fixture->told);
        restart(fixture);
        if (i == 2)
            cloud_answer(&fixture->cloud, MODIFY);
        cloud_fail(&fixture->cloud, MODIFY, "UnauthorizedOperation", "no modify");
        assert_told(fixture, "created attached failed");
        assert_int_equal(fake_aws_n(fixture->cloud.aws) - n, i == 2 ? 2 : 1);
        if (!strstr(eni_error(fixture->eni), "eni-0 stays attached and will outlive") == rows[i].outlives)
            fail_msg("%zu: %s", i, eni_error(fixture->eni));
    }
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
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, one_eni_setup, one_eni_teardown)
    const struct CMUnitTest tests[] = {TEST(test_good),
                                       TEST(test_adopted_as_wanted),
                                       TEST(test_adopted_to_attach),
                                       TEST(test_address_in_use),
                                       TEST(test_every_address_in_use),
                                       TEST(test_address_asked_for_before),
                                       TEST(test_address_of_another_subnet),
                                       TEST(test_subnet_start_fails),
                                       TEST(test_create_fails),
                                       TEST(test_create_unknown),
                                       TEST(test_modify_fails),
                                       TEST(test_modify_adopted_fails),
                                       TEST(test_freed_in_every_state),
                                       TEST(test_given_up_in_every_state),
                                       TEST(test_given_up_inside_handlers),
                                       TEST(test_adopted_given_up_at_once),
                                       TEST(test_given_up_when_lost)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
