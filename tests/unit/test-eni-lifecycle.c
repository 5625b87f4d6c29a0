/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lifecycle hook: which one is chosen, how often it is told that we are alive, how it is answered.
 */

#include "eni/lifecycle.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"

#define HOOKS     "DescribeLifecycleHooks"
#define HEARTBEAT "RecordLifecycleActionHeartbeat"
#define COMPLETE  "CompleteLifecycleAction"

#define HOOK(_name, _transition, _timeout)                                                                   \
    "<member><LifecycleHookName>" _name                                                                      \
    "</LifecycleHookName><LifecycleTransition>autoscaling:EC2_INSTANCE_" _transition                         \
    "</LifecycleTransition><HeartbeatTimeout>" _timeout "</HeartbeatTimeout></member>"
#define LAUNCH    HOOK("launch", "LAUNCHING", "300")
#define OTHER     HOOK("other", "LAUNCHING", "60")
#define TERMINATE HOOK("terminate", "TERMINATING", "300")

typedef struct Fixture {
    Cloud cloud;
    Lifecycle *lifecycle;
    unsigned n_done;
} Fixture;

static void on_done(void *userdata)
{
    Fixture *fixture = userdata;

    assert_true(lifecycle_is_done(fixture->lifecycle));
    fixture->n_done++;
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

    (void)lifecycle_free(fixture->lifecycle);
    assert_true(fake_clock_next() == USEC_INFINITY);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture, const char *hook)
{
    LifecycleArgs args = {
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .group = "group-1",
        .instance_id = CLOUD_INSTANCE,
        .hook = hook,
    };

    assert_int_equal(lifecycle_start(&fixture->lifecycle, &args, on_done, fixture), 0);
    assert_true(
        fake_call_has(fake_aws_pending(fixture->cloud.aws, HOOKS), "AutoScalingGroupName", "group-1"));
}

static void answer_hooks(const Fixture *fixture, const char *hooks)
{
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, HOOKS), "<LifecycleHooks>%s</LifecycleHooks>",
                     hooks);
}

static void test_choice(void **state)
{
    static const struct {
        const char *wanted, *hooks, *chosen;
    } rows[] = {
        {"auto", "", NULL},
        {"auto", TERMINATE, NULL},
        {"auto", TERMINATE LAUNCH, "launch"},
        {"auto", LAUNCH OTHER, NULL},
        {"other", LAUNCH OTHER, "other"},
        {"launch", LAUNCH, "launch"},
        {"missing", LAUNCH OTHER, NULL},
        {"terminate", TERMINATE LAUNCH, NULL},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fixture->n_done = 0;
        start(fixture, rows[i].wanted);
        answer_hooks(fixture, rows[i].hooks);
        assert_int_equal(fixture->n_done, rows[i].chosen ? 0 : 1);
        lifecycle_complete(fixture->lifecycle, LIFECYCLE_CONTINUE);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, COMPLETE), rows[i].chosen ? 1 : 0);
        if (rows[i].chosen)
            assert_true(fake_call_has(fake_aws_pending(fixture->cloud.aws, COMPLETE), "LifecycleHookName",
                                      rows[i].chosen));
        fixture->lifecycle = lifecycle_free(fixture->lifecycle);
    }
}

static void test_completed(void **state)
{
    Fixture *fixture = *state;
    const FakeCall *call;

    start(fixture, "auto");
    answer_hooks(fixture, LAUNCH);
    assert_false(lifecycle_is_done(fixture->lifecycle));
    lifecycle_complete(fixture->lifecycle, LIFECYCLE_ABANDON);
    lifecycle_complete(fixture->lifecycle, LIFECYCLE_CONTINUE); /* the first word counts */
    call = fake_aws_pending(fixture->cloud.aws, COMPLETE);
    assert_true(fake_call_has(call, "LifecycleActionResult", "ABANDON"));
    assert_true(fake_call_has(call, "AutoScalingGroupName", "group-1"));
    assert_true(fake_call_has(call, "InstanceId", CLOUD_INSTANCE));
    assert_true(fake_clock_next() == USEC_INFINITY);
    assert_int_equal(fixture->n_done, 0);
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, COMPLETE), "%s", "");
    assert_int_equal(fixture->n_done, 1);
    assert_int_equal(cloud_count(&fixture->cloud, COMPLETE), 1);
}

static void test_completed_before_it_is_known(void **state)
{
    Fixture *fixture = *state;

    start(fixture, "auto");
    lifecycle_complete(fixture->lifecycle, LIFECYCLE_CONTINUE);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, COMPLETE), 0);
    assert_false(lifecycle_is_done(fixture->lifecycle));
    answer_hooks(fixture, LAUNCH);
    assert_true(
        fake_call_has(fake_aws_pending(fixture->cloud.aws, COMPLETE), "LifecycleActionResult", "CONTINUE"));
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, COMPLETE), "%s", "");
    assert_int_equal(fixture->n_done, 1);
}

static void test_errors_end_it(void **state)
{
    static const char *const codes[] = {"ValidationError", "AccessDenied", "InternalFailure"};
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        fixture->n_done = 0;
        start(fixture, "auto");
        answer_hooks(fixture, LAUNCH);
        lifecycle_complete(fixture->lifecycle, LIFECYCLE_CONTINUE);
        cloud_fail(&fixture->cloud, COMPLETE, codes[i], "no active lifecycle action");
        assert_int_equal(fixture->n_done, 1);
        fixture->lifecycle = lifecycle_free(fixture->lifecycle);
    }

    fixture->n_done = 0;
    start(fixture, "auto");
    cloud_fail(&fixture->cloud, HOOKS, "AccessDenied", "not you");
    assert_int_equal(fixture->n_done, 1);
    lifecycle_complete(fixture->lifecycle, LIFECYCLE_CONTINUE);
    assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, NULL), 0);
}

/* Half of the timeout; one that gets no answer is replaced by the next. */
static void test_heartbeats(void **state)
{
    static const struct {
        const char *hook;
        usec_t interval;
    } rows[] = {
        {LAUNCH, 150 * USEC_PER_SEC},
        {OTHER, 30 * USEC_PER_SEC},
        {HOOK("quick", "LAUNCHING", "1"), USEC_PER_SEC},
        {HOOK("silent", "LAUNCHING", "0"), 30 * USEC_PER_MINUTE},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        start(fixture, "auto");
        answer_hooks(fixture, rows[i].hook);
        for (unsigned n = 0; n < 3; n++) {
            assert_true(fake_clock_next() == rows[i].interval);
            fake_clock_advance(fixture->cloud.event, rows[i].interval);
            assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, HEARTBEAT), 1);
            if (n == 1)
                cloud_fail(&fixture->cloud, HEARTBEAT, "ValidationError", "not waiting");
        }
        assert_true(
            fake_call_has(fake_aws_pending(fixture->cloud.aws, HEARTBEAT), "InstanceId", CLOUD_INSTANCE));
        lifecycle_complete(fixture->lifecycle, LIFECYCLE_CONTINUE);
        assert_int_equal(fake_aws_n_pending(fixture->cloud.aws, HEARTBEAT), 0);
        assert_true(fake_clock_next() == USEC_INFINITY);
        fixture->lifecycle = lifecycle_free(fixture->lifecycle);
    }
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_choice),        TEST(test_completed),  TEST(test_completed_before_it_is_known),
        TEST(test_errors_end_it), TEST(test_heartbeats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
