/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the kernel's events mean for the cloud's side: during the boot, and after it.
 */

#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include "manager-private.h"
#include <errno.h>

#define DETACH "DetachNetworkInterface"
#define LOOK   "DescribeNetworkInterfaces"

typedef struct Fixture {
    Cloud cloud;
    Allocator *allocator;
    Intents *intents;
    DeviceIndexes indexes;
    EniContext context;
    DesiredEni desired;
    EniPlan plan;
    Interface interface;
    Manager manager;
} Fixture;

static void on_event(Eni *eni _unused_, EniEventType event _unused_, void *userdata _unused_)
{
}

/* One interface that this run has attached and that is ready in EC2. */
static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));
    LinkSpec spec = {.mac = {{2, 0, 0, 0, 0, 1}}, .ifname = "eth1", .timeout = USEC_PER_MSEC};

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    desired_init(&fixture->desired, "oam");
    assert_int_equal(allocator_new(&fixture->allocator, fixture->cloud.aws, CLOUD_DEADLINE), 0);
    assert_int_equal(intents_load(&fixture->intents, fixture->cloud.path, CLOUD_INSTANCE), 0);
    fixture->context = (EniContext){.aws = fixture->cloud.aws,
                                    .event = fixture->cloud.event,
                                    .allocator = fixture->allocator,
                                    .intents = fixture->intents,
                                    .indexes = &fixture->indexes,
                                    .instance_id = CLOUD_INSTANCE,
                                    .deadline = CLOUD_DEADLINE,
                                    .handler = on_event};
    fixture->plan =
        (EniPlan){.desired = &fixture->desired, .steps = STEP_CREATE | STEP_ATTACH, .device_index = 1};
    fixture->interface = (Interface){.manager = &fixture->manager, .desired = &fixture->desired};
    fixture->manager.interfaces = &fixture->interface;
    fixture->manager.n_interfaces = 1;

    assert_int_equal(eni_new(&fixture->interface.eni, &fixture->context, &fixture->plan), 0);
    eni_start(fixture->interface.eni);
    cloud_answer_create(&fixture->cloud, "eni-1");
    cloud_answer_attach(&fixture->cloud, "attach-1");
    cloud_answer(&fixture->cloud, "ModifyNetworkInterfaceAttribute");
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_READY);

    assert_int_equal(links_new(&fixture->manager.links, fixture->cloud.event, "/nonexistent",
                               interfaces_on_link, &fixture->manager),
                     0);
    spec.userdata = &fixture->interface;
    assert_int_equal(links_add(fixture->manager.links, &spec, &fixture->interface.link), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)links_free(fixture->manager.links);
    (void)eni_free(fixture->interface.eni);
    (void)allocator_free(fixture->allocator);
    (void)intents_free(fixture->intents);
    desired_eni_done(&fixture->desired);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void tell(Fixture *fixture, ManagerPhase phase, LinkEventType type, int error)
{
    LinkEvent event = {.type = type, .link = fixture->interface.link, .error = error, .text = "as it is"};

    fixture->manager.phase = phase;
    interfaces_on_link(&event, &fixture->manager);
}

static void test_failed_in_boot(void **state)
{
    Fixture *fixture = *state;

    tell(fixture, MANAGER_PHASE_LINKS, LINK_EVENT_FAILED, -EIO);
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_REMOVING);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, DETACH), 1);
}

static void test_late_in_boot(void **state)
{
    Fixture *fixture = *state;

    tell(fixture, MANAGER_PHASE_LINKS, LINK_EVENT_FAILED, -ETIMEDOUT);
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_LOOKING);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, LOOK), 1);
}

static void test_gone_in_boot(void **state)
{
    Fixture *fixture = *state;

    tell(fixture, MANAGER_PHASE_LINKS, LINK_EVENT_GONE, 0);
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_LOOKING);
    tell(fixture, MANAGER_PHASE_LINKS, LINK_EVENT_GONE, 0);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 1);
}

/* EC2 says that it is attached: the device is due once more, and is given up when it does not come. */
static void test_gone_but_attached(void **state)
{
    Fixture *fixture = *state;
    _cleanup_buf_ Buf items = BUF_NULL;

    fixture->context.handler = interfaces_on_eni;
    fixture->context.userdata = &fixture->manager;
    eni_item(&items, "eni-1", CLOUD_INSTANCE, 1, "attached");
    tell(fixture, MANAGER_PHASE_LINKS, LINK_EVENT_GONE, 0);
    cloud_answer_look(&fixture->cloud, &items);
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_READY);

    while (fake_aws_n_pending(fixture->cloud.aws, LOOK) == 0)
        if (sd_event_run(fixture->cloud.event, 5 * USEC_PER_SEC) <= 0)
            fail_msg("nothing waits for the device");
    assert_int_equal(link_state(fixture->interface.link), LINK_STATE_FAILED);
    cloud_answer_look(&fixture->cloud, &items);
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_REMOVING);
}

/* Whatever becomes of the device, pods may still use the interface: EC2 is not asked for anything. */
static void test_after_the_boot(void **state)
{
    static const ManagerPhase phases[] = {MANAGER_PHASE_READY, MANAGER_PHASE_DEGRADED, MANAGER_PHASE_FAILED,
                                          MANAGER_PHASE_STOPPING};
    static const int errors[] = {-EIO, -ETIMEDOUT};
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
        tell(fixture, phases[i], LINK_EVENT_GONE, 0);
        for (size_t j = 0; j < ARRAY_SIZE(errors); j++)
            tell(fixture, phases[i], LINK_EVENT_FAILED, errors[j]);
    }
    assert_int_equal(eni_state(fixture->interface.eni), ENI_STATE_READY);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
}

/* A boot may fail at any moment after they exist: status and registrar look at both of their sides. */
static void test_new_ones_are_whole(void **state)
{
    Fixture *fixture = *state;
    Plan plan = {.enis = &fixture->plan, .n_enis = 1};
    Ec2Instance instance = {0};
    Metadata metadata = {.instance_id = (char *)CLOUD_INSTANCE};
    Facts facts = {.metadata = &metadata, .instance = &instance};
    Manager manager = {.plan = &plan};
    ReconcileArgs args = {
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .intents = fixture->intents,
        .facts = &facts,
        .plan = &plan,
        .deadline = CLOUD_DEADLINE,
        .removed_by = CLOUD_DEADLINE,
    };

    assert_int_equal(reconcile_new(&manager.reconcile, &args), 0);
    assert_int_equal(interfaces_new(&manager), 0);
    assert_ptr_equal(manager.interfaces[0].eni, reconcile_eni(manager.reconcile, 0));
    assert_null(eni_record(manager.interfaces[0].eni));
    assert_int_equal(interfaces_attached(&manager, 0), 0);
    interfaces_done(&manager);
    (void)reconcile_free(manager.reconcile);
}

/* Attached, and no device: said in words, with and without a link. The state keeps its name. */
static void test_waits_for_its_device(void **state)
{
    Fixture *fixture = *state;
    const char *waiting = NULL, *unlinked = NULL;
    Interface copy = fixture->interface;

    assert_false(interface_is_settled(&fixture->interface, &waiting));
    assert_string_equal(waiting, "waiting for its device");
    copy.link = NULL;
    assert_false(interface_is_settled(&copy, &unlinked));
    assert_string_equal(unlinked, waiting);
    assert_string_equal(link_state_describe(LINK_STATE_CONFIGURING), "configuring");
    assert_string_equal(link_state_to_string(link_state(fixture->interface.link)), "waiting");
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_failed_in_boot),       TEST(test_late_in_boot),   TEST(test_gone_in_boot),
        TEST(test_gone_but_attached),    TEST(test_after_the_boot), TEST(test_new_ones_are_whole),
        TEST(test_waits_for_its_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
