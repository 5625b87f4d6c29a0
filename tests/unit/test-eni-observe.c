/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Observing: which calls go out in which round, and what becomes of their answers.
 */

#include "eni/observe.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>

#define INSTANCES "DescribeInstances"
#define SUBNETS   "DescribeSubnets"
#define TYPES     "DescribeInstanceTypes"
#define GROUPS    "DescribeAutoScalingGroups"
#define ENIS      "DescribeNetworkInterfaces"

typedef struct Fixture {
    Cloud cloud;
    Config *config;
    Metadata metadata;
    bool fresh, lists;
    Observe *observe;
    Observation *observation;
    unsigned n_told;
    char code[64], what[64];
} Fixture;

static void on_observed(Observation *observation_take, const AwsError *error, const char *what,
                        void *userdata)
{
    Fixture *fixture = userdata;

    fixture->n_told++;
    fixture->observation = observation_take;
    assert_int_equal(error != NULL, observation_take == NULL);
    if (error) {
        (void)snprintf(fixture->code, sizeof(fixture->code), "%s", error->code);
        (void)snprintf(fixture->what, sizeof(fixture->what), "%s", what);
    }
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    fixture->config = config_new();
    assert_non_null(fixture->config);
    fixture->fresh = true;
    fixture->metadata.instance_id = strdup(CLOUD_INSTANCE);
    fixture->metadata.instance_type = strdup("m5.large");
    fixture->metadata.vpc_id = strdup("vpc-1");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)observe_free(fixture->observe);
    (void)observation_free(fixture->observation);
    (void)config_free(fixture->config);
    free(fixture->metadata.instance_id);
    free(fixture->metadata.instance_type);
    free(fixture->metadata.vpc_id);
    free(fixture->metadata.availability_zone);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void configure(Fixture *fixture, const char *text)
{
    _cleanup_buf_ Buf errors = BUF_NULL;

    assert_int_equal(config_parse(fixture->config, "test.conf", text, strlen(text), &errors), 0);
    assert_int_equal(config_finish(fixture->config, &errors), 0);
}

static void start(Fixture *fixture)
{
    ObserveArgs args = {
        .aws = fixture->cloud.aws,
        .config = fixture->config,
        .metadata = &fixture->metadata,
        .deadline = CLOUD_DEADLINE,
        .fresh = fixture->fresh,
        .lists = fixture->lists,
    };

    assert_int_equal(observe(&args, on_observed, fixture, &fixture->observe), 0);
}

#define GROUP_TAG                                                                                            \
    "<item><key>aws:autoscaling:groupName</key><value>group-1</value></item>"                                \
    "<item><key>a</key><value>b</value></item>"
#define ATTACHED(_id)                                                                                        \
    "<item><networkInterfaceId>" _id                                                                         \
    "</networkInterfaceId><attachment><attachmentId>a</attachmentId>"                                        \
    "</attachment></item>"

/* The first round, with those interfaces and tags in the instance. */
static void answer_first_round(const Fixture *fixture, const char *interfaces, const char *tags)
{
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, TYPES),
                     "<instanceTypeSet><item><instanceType>m5.large</instanceType><networkInfo>"
                     "<maximumNetworkInterfaces>3</maximumNetworkInterfaces></networkInfo></item>"
                     "</instanceTypeSet>");
    fake_call_answer(
        fake_aws_pending(fixture->cloud.aws, SUBNETS),
        "<subnetSet><item><subnetId>subnet-1</subnetId><availabilityZone>zone-a</availabilityZone>"
        "<cidrBlock>10.0.1.0/24</cidrBlock></item>"
        "</subnetSet>");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 1);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, INSTANCES),
                     "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
                     "<networkInterfaceSet>%s</networkInterfaceSet><tagSet>%s</tagSet></item></instancesSet>"
                     "</item></reservationSet>",
                     interfaces, tags);
}

static void answer_group(const Fixture *fixture)
{
    fake_call_answer(
        fake_aws_pending(fixture->cloud.aws, GROUPS),
        "<AutoScalingGroups><member><AutoScalingGroupName>group-1</AutoScalingGroupName><Instances>"
        "<member><InstanceId>i-0</InstanceId><LifecycleState>InService</LifecycleState></member>"
        "<member><InstanceId>i-1</InstanceId><LifecycleState>Pending:Wait</LifecycleState></member>"
        "</Instances><Tags><member><Key>k</Key><Value>v</Value></member></Tags></member>"
        "</AutoScalingGroups>");
}

static void tagged_item(Buf *xml, const char *id, const char *owner)
{
    assert_int_equal(buf_printf(xml, "<item><networkInterfaceId>%s</networkInterfaceId><tagSet>", id), 0);
    if (owner)
        assert_int_equal(
            buf_printf(xml, "<item><key>multus-eks:instance-id</key><value>%s</value></item>", owner), 0);
    assert_int_equal(buf_puts(xml, "</tagSet></item>"), 0);
}

static void assert_enis(const AwsRecords *records, const char *expected)
{
    _cleanup_buf_ Buf text = BUF_NULL;

    for (size_t i = 0; i < records->n_network_interfaces; i++)
        assert_int_equal(buf_printf(&text, "%s ", records->network_interfaces[i].network_interface_id), 0);
    assert_string_equal(text.data ? text.data : "", expected);
}

static void test_first_round(void **state)
{
    Fixture *fixture = *state;
    const FakeCall *call;

    configure(fixture, "");
    start(fixture);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 3);
    call = fake_aws_pending(fixture->cloud.aws, INSTANCES);
    assert_true(fake_call_has(call, "InstanceId.1", CLOUD_INSTANCE));
    assert_int_equal(call->flags, AWS_CALL_RETRY_NOT_FOUND);
    assert_true(call->deadline == CLOUD_DEADLINE);
    call = fake_aws_pending(fixture->cloud.aws, SUBNETS);
    assert_true(fake_call_has(call, "Filter.1.Name", "vpc-id"));
    assert_true(fake_call_has(call, "Filter.1.Value.1", "vpc-1"));
    call = fake_aws_pending(fixture->cloud.aws, TYPES);
    assert_true(fake_call_has(call, "InstanceType.1", "m5.large"));
}

static void test_fresh_node_of_a_group(void **state)
{
    Fixture *fixture = *state;
    const FakeCall *call;
    const Facts *facts;
    _cleanup_buf_ Buf items = BUF_NULL;

    configure(fixture, "");
    start(fixture);
    answer_first_round(fixture, ATTACHED("eni-primary"), GROUP_TAG);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 2);
    call = fake_aws_pending(fixture->cloud.aws, GROUPS);
    assert_true(fake_call_has(call, "AutoScalingGroupNames.member.1", "group-1"));
    call = fake_aws_pending(fixture->cloud.aws, ENIS);
    assert_true(fake_call_has(call, "Filter.1.Name", "status"));
    assert_true(fake_call_has(call, "Filter.1.Value.1", "available"));
    assert_true(fake_call_has(call, "Filter.2.Name", "tag:multus-eks:nodegroup"));
    assert_true(fake_call_has(call, "Filter.2.Value.1", "group-1"));

    tagged_item(&items, "eni-mine", CLOUD_INSTANCE);
    tagged_item(&items, "eni-nobodys", NULL);
    tagged_item(&items, "eni-others", "i-2");
    cloud_answer_look(&fixture->cloud, &items);
    assert_int_equal(fixture->n_told, 0);
    answer_group(fixture);
    assert_int_equal(fixture->n_told, 1);
    assert_enis(&fixture->observation->enis, "eni-mine ");
    assert_enis(&fixture->observation->leftovers, "eni-others ");
    assert_string_equal(fixture->observation->lifecycle_state, "Pending:Wait");

    facts = &fixture->observation->facts;
    assert_string_equal(facts->instance->instance_id, CLOUD_INSTANCE);
    assert_string_equal(keyvalue_list_get(facts->asg_tags, "k"), "v");
    assert_int_equal(facts->n_subnets, 1);
    assert_int_equal(facts->instance_type->maximum_network_interfaces, 3);
    assert_int_equal(facts->n_enis, 1);
    assert_ptr_equal(facts->config, fixture->config);
}

static FakeCall *ours(const Fixture *fixture)
{
    return fake_aws_pending_with(fixture->cloud.aws, ENIS, "Filter.1.Name", "tag:multus-eks:instance-id");
}

static FakeCall *leftovers(const Fixture *fixture)
{
    return fake_aws_pending_with(fixture->cloud.aws, ENIS, "Filter.1.Name", "status");
}

static void answer(FakeCall *call, const Buf *items)
{
    fake_call_answer(call, "<networkInterfaceSet>%s</networkInterfaceSet>", items->data ? items->data : "");
}

static void tagged_and_attached(Buf *xml, const char *id, const char *status)
{
    assert_int_equal(
        buf_printf(
            xml,
            "<item><networkInterfaceId>%s</networkInterfaceId><attachment><attachmentId>a</attachmentId>"
            "<instanceId>i-1</instanceId><status>%s</status></attachment><tagSet><item>"
            "<key>multus-eks:instance-id</key><value>i-1</value></item></tagSet></item>",
            id, status),
        0);
}

/* The two lists are not of one moment: what is in both is there once. */
static void test_restarted_node(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "");
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_buf_ Buf mine = BUF_NULL, available = BUF_NULL;

        start(fixture);
        answer_first_round(fixture, ATTACHED("eni-primary") ATTACHED("eni-1"), GROUP_TAG);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, ENIS), 2);
        tagged_and_attached(&mine, "eni-1", "attached");
        tagged_and_attached(&mine, "eni-3", "detaching");
        tagged_item(&available, "eni-1", CLOUD_INSTANCE);
        tagged_item(&available, "eni-2", CLOUD_INSTANCE);
        tagged_item(&available, "eni-4", "i-2");
        if (i == 0)
            answer(ours(fixture), &mine);
        answer(leftovers(fixture), &available);
        if (i == 1)
            answer(ours(fixture), &mine);
        answer_group(fixture);
        assert_enis(&fixture->observation->enis, i == 0 ? "eni-1 eni-3 eni-2 " : "eni-1 eni-2 eni-3 ");
        assert_enis(&fixture->observation->leftovers, "eni-4 ");
        fixture->observe = observe_free(fixture->observe);
        fixture->observation = observation_free(fixture->observation);
    }
}

/*
 * A killed run's Attach may be carried out between the rounds: then the instance shows the primary
 * alone in the first, and the interface is not available any more in the second.
 */
static void test_attached_between_the_rounds(void **state)
{
    Fixture *fixture = *state;
    _cleanup_buf_ Buf mine = BUF_NULL, none = BUF_NULL;

    configure(fixture, "");
    fixture->fresh = false;
    start(fixture);
    answer_first_round(fixture, ATTACHED("eni-primary"), GROUP_TAG);
    tagged_and_attached(&mine, "eni-1", "attaching");
    answer(leftovers(fixture), &none);
    answer(ours(fixture), &mine);
    answer_group(fixture);
    assert_enis(&fixture->observation->enis, "eni-1 ");
    assert_non_null(fixture->observation->enis.network_interfaces[0].attachment.attachment_id);
}

/* Nobody is going to sweep: only ours are of interest, on a fresh node too. */
static void test_no_sweep(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "[daemon]\nsweep_leaked = no\n");
    start(fixture);
    answer_first_round(fixture, ATTACHED("eni-primary"), GROUP_TAG);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, ENIS), 1);
    assert_true(fake_call_has(ours(fixture), "Filter.1.Value.1", CLOUD_INSTANCE));
}

static void test_no_group(void **state)
{
    Fixture *fixture = *state;
    const FakeCall *call;

    configure(fixture, "");
    start(fixture);
    answer_first_round(fixture, ATTACHED("eni-primary"), "");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 1);
    call = fake_aws_pending(fixture->cloud.aws, ENIS);
    assert_true(fake_call_has(call, "Filter.1.Name", "tag:multus-eks:instance-id"));
    assert_true(fake_call_has(call, "Filter.1.Value.1", CLOUD_INSTANCE));
    cloud_answer_look(&fixture->cloud, NULL);
    assert_int_equal(fixture->n_told, 1);
    assert_null(fixture->observation->facts.asg_tags);
    assert_null(fixture->observation->lifecycle_state);
}

/* The group is asked for its tags, or for the state of the instance: for neither, it is not asked. */
static void test_group_only_where_needed(void **state)
{
    static const struct {
        const char *config;
        size_t n;
        bool tags;
    } rows[] = {
        {"[discovery]\ntags = no\n[daemon]\nlifecycle_hook = none\n", 0, false},
        {"[discovery]\ntags = no\n", 1, false},
        {"[daemon]\nlifecycle_hook = none\n", 1, true},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)config_free(fixture->config);
        fixture->config = config_new();
        configure(fixture, rows[i].config);
        start(fixture);
        answer_first_round(fixture, ATTACHED("eni-primary"), GROUP_TAG);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, GROUPS), rows[i].n);
        if (rows[i].n > 0)
            answer_group(fixture);
        cloud_answer_look(&fixture->cloud, NULL);
        assert_int_equal(fixture->observation->facts.asg_tags != NULL, rows[i].tags);
        assert_false(fixture->observation->facts.group_unknown);
        fixture->observe = observe_free(fixture->observe);
        fixture->observation = observation_free(fixture->observation);
    }
}

#define RESERVATIONS "GetSubnetCidrReservations"
#define START        "ip_allocation = subnet-start\n"

/* What is named before the group is known is asked for beside it; else, and for a dry run, not. */
static void test_lists(void **state)
{
    static const struct {
        const char *config, *tags;
        bool wanted;
        const char *interfaces;
        size_t n;
    } rows[] = {
        {"[network]\nsubnets = subnet-1\n" START, GROUP_TAG, true, ATTACHED("eni-primary"), 1},
        {"[network]\n" START, "<item><key>multus-eks:subnets</key><value>subnet-1</value></item>", true,
         ATTACHED("eni-primary"), 1},
        {"[network]\nsubnets = subnet-1, subnet-1\n" START, "", true, ATTACHED("eni-primary"), 1},
        {"[network]\nsubnets = subnet-1\n" START, "", false, ATTACHED("eni-primary"), 0},
        {"[network]\nsubnets = subnet-1\n", "", true, ATTACHED("eni-primary"), 0},
        {"[network]\nsubnets = subnet-2\n" START, GROUP_TAG, true, ATTACHED("eni-primary"), 0},
        {"[network]\n" START, GROUP_TAG, true, ATTACHED("eni-primary"), 0},
        {"[network]\nsubnets = subnet-1\n" START, "", true, ATTACHED("eni-primary") ATTACHED("eni-1"), 0},
    };
    Fixture *fixture = *state;

    fixture->metadata.availability_zone = strdup("zone-a");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)config_free(fixture->config);
        fixture->config = config_new();
        configure(fixture, rows[i].config);
        fixture->lists = rows[i].wanted;
        start(fixture);
        answer_first_round(fixture, rows[i].interfaces, rows[i].tags);
        if (fake_aws_n_pending(fixture->cloud.aws, RESERVATIONS) != rows[i].n)
            fail_msg("row %zu", i);
        fixture->observe = observe_free(fixture->observe);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
    }
}

/* The end of the round waits for them; that they cannot be had is not the round's failure. */
static void test_lists_are_of_the_round(void **state)
{
    Fixture *fixture = *state;

    fixture->metadata.availability_zone = strdup("zone-a");
    fixture->lists = true;
    configure(fixture, "[network]\nsubnets = subnet-1\n" START);
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_buf_ Buf text = BUF_NULL;

        fixture->n_told = 0;
        start(fixture);
        answer_first_round(fixture, ATTACHED("eni-primary"), "");
        cloud_answer_look(&fixture->cloud, NULL); /* ours */
        assert_int_equal(fixture->n_told, 0);
        observe_describe(fixture->observe, &text);
        assert_non_null(strstr(text.data, "the addresses in use"));
        if (i == 0) {
            cloud_answer_lists(&fixture->cloud);
            assert_int_equal(fixture->observation->lists.subnets.n, 1);
        } else {
            cloud_fail(&fixture->cloud, RESERVATIONS, "UnauthorizedOperation", "not you");
            assert_int_equal(fixture->observation->lists.subnets.n, 0);
        }
        assert_int_equal(fixture->n_told, 1);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
        fixture->observe = observe_free(fixture->observe);
        fixture->observation = observation_free(fixture->observation);
    }
}

/* What is waited for, and why it takes so long. */
static void test_describe(void **state)
{
    Fixture *fixture = *state;
    _cleanup_buf_ Buf at_first = BUF_NULL, later = BUF_NULL;

    configure(fixture, "");
    start(fixture);
    observe_describe(fixture->observe, &at_first);
    assert_non_null(strstr(at_first.data, "reading the subnets"));
    assert_null(strstr(at_first.data, "try"));
    fake_call_rest(fake_aws_pending(fixture->cloud.aws, "DescribeSubnets"), false);
    observe_describe(fixture->observe, &later);
    assert_memory_equal(later.data, at_first.data, at_first.n);
    assert_string_equal(later.data + at_first.n, "; the last try: no reply READY=1");
    fixture->observe = observe_free(fixture->observe);
}

/* The limits only let a plan fail early. */
static void test_limits_may_be_unknown(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "");
    start(fixture);
    cloud_fail(&fixture->cloud, TYPES, "UnauthorizedOperation", "not you");
    assert_int_equal(fixture->n_told, 0);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 2);
}

static void test_first_error_ends_it(void **state)
{
    static const struct {
        const char *action, *what;
    } rows[] = {
        {INSTANCES, "reading this instance's tags and interfaces"},
        {SUBNETS, "reading the subnets of the VPC"},
    };
    Fixture *fixture = *state;

    configure(fixture, "");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        start(fixture);
        cloud_fail(&fixture->cloud, rows[i].action, "UnauthorizedOperation", "not you");
        assert_int_equal(fixture->n_told, i + 1);
        assert_string_equal(fixture->code, "UnauthorizedOperation");
        assert_string_equal(fixture->what, rows[i].what);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
        fixture->observe = observe_free(fixture->observe);
    }
}

static void test_error_in_second_round(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "");
    start(fixture);
    answer_first_round(fixture, ATTACHED("eni-primary") ATTACHED("eni-1"), GROUP_TAG);
    cloud_fail(&fixture->cloud, GROUPS, "AccessDenied", "not you");
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->what, "reading the tags of the Auto Scaling group");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
}

/* Eventually consistent, EC2 may also answer with an empty list. */
static void test_unknown_instance(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "");
    start(fixture);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, INSTANCES), "<reservationSet/>");
    assert_int_equal(fixture->n_told, 1);
    assert_string_equal(fixture->code, "InvalidInstanceID.NotFound");
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
}

/* The group was deleted, or the instance detached from it, between the two rounds. */
static void test_group_is_gone(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "");
    start(fixture);
    answer_first_round(fixture, ATTACHED("eni-primary"), GROUP_TAG);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, GROUPS), "<AutoScalingGroups/>");
    cloud_answer_look(&fixture->cloud, NULL);
    assert_int_equal(fixture->n_told, 1);
    assert_null(fixture->observation->facts.asg_tags);
    assert_null(fixture->observation->lifecycle_state);
    assert_true(fixture->observation->facts.group_unknown);
}

static void test_freed_in_either_round(void **state)
{
    Fixture *fixture = *state;

    configure(fixture, "");
    start(fixture);
    fixture->observe = observe_free(fixture->observe);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
    assert_int_equal(fixture->n_told, 0);
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_first_round),
        TEST(test_fresh_node_of_a_group),
        TEST(test_restarted_node),
        TEST(test_attached_between_the_rounds),
        TEST(test_no_sweep),
        TEST(test_no_group),
        TEST(test_group_only_where_needed),
        TEST(test_lists),
        TEST(test_lists_are_of_the_round),
        TEST(test_describe),
        TEST(test_limits_may_be_unknown),
        TEST(test_first_error_ends_it),
        TEST(test_error_in_second_round),
        TEST(test_unknown_instance),
        TEST(test_group_is_gone),
        TEST(test_freed_in_either_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
