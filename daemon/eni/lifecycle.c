/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lifecycle hook. A group with a launching hook keeps its instance in Pending:Wait until somebody
 * completes the action or the hook's heartbeat timeout passes, whose default result is usually
 * ABANDON. This object finds the hook, records a heartbeat at every half of that timeout while the
 * node is booting, and completes the action with what the boot came to.
 *
 * That no action is active (ValidationError) is a normal answer: the instance was put into service by
 * someone else, or an earlier run of this daemon completed it.
 */

#include "eni/lifecycle.h"
#include "eni/explain.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>

#define COMPLETE_TIME (60 * USEC_PER_SEC)

/* Of a hook that does not say (PutLifecycleHook), and the least that is honoured. */
#define HEARTBEAT_TIMEOUT     USEC_PER_HOUR
#define HEARTBEAT_TIMEOUT_MIN (2 * USEC_PER_SEC)

#define HOOK_LAUNCHING "autoscaling:EC2_INSTANCE_LAUNCHING"

typedef enum LifecycleState {
    LIFECYCLE_STATE_FINDING, /* which hook */
    LIFECYCLE_STATE_WAITING, /* sending heartbeats */
    LIFECYCLE_STATE_COMPLETING,
    LIFECYCLE_STATE_DONE,
    _LIFECYCLE_STATE_MAX,
} LifecycleState;

struct Lifecycle {
    LifecycleArgs args;
    LifecycleHandler handler;
    void *userdata;
    LifecycleState state;
    char *hook;
    usec_t heartbeat_timeout;
    bool heartbeat_failed; /* the last one: said once */
    bool decided;          /* lifecycle_complete() was called */
    LifecycleResult result;
    AwsCall *call;
    AwsCall *heartbeat_call;
    sd_event_source *timer;
};

#define S(_state) (1U << LIFECYCLE_STATE_##_state)

static const unsigned edges[_LIFECYCLE_STATE_MAX] _unused_ = {
    [LIFECYCLE_STATE_FINDING] = S(WAITING) | S(DONE),
    [LIFECYCLE_STATE_WAITING] = S(COMPLETING),
    [LIFECYCLE_STATE_COMPLETING] = S(DONE),
    [LIFECYCLE_STATE_DONE] = 0,
};

#undef S

static void lifecycle_set_state(Lifecycle *lifecycle, LifecycleState state)
{
    static const char *const names[_LIFECYCLE_STATE_MAX] = {"finding", "waiting", "completing", "done"};

    assert(edges[lifecycle->state] & 1U << state);

    log_debug("Lifecycle hook of group %s: %s -> %s", lifecycle->args.group, names[lifecycle->state],
              names[state]);
    lifecycle->state = state;
}

Lifecycle *lifecycle_free(Lifecycle *lifecycle)
{
    if (!lifecycle)
        return NULL;

    sd_event_source_disable_unref(lifecycle->timer);
    aws_call_free(lifecycle->call);
    aws_call_free(lifecycle->heartbeat_call);
    free(lifecycle->hook);
    return mfree(lifecycle);
}

bool lifecycle_is_done(const Lifecycle *lifecycle)
{
    return lifecycle->state == LIFECYCLE_STATE_DONE;
}

static void lifecycle_finish(Lifecycle *lifecycle)
{
    lifecycle_set_state(lifecycle, LIFECYCLE_STATE_DONE);
    lifecycle->timer = sd_event_source_disable_unref(lifecycle->timer);
    lifecycle->heartbeat_call = aws_call_free(lifecycle->heartbeat_call);
    lifecycle->handler(lifecycle->userdata);
}

static void lifecycle_fail_errno(Lifecycle *lifecycle, int r)
{
    log_at(LOG_WARNING, r, MESSAGE_LIFECYCLE_FAILED, "Lifecycle hook of group %s: %m", lifecycle->args.group);
    lifecycle_finish(lifecycle);
}

static const char *result_to_string(LifecycleResult result)
{
    return result == LIFECYCLE_CONTINUE ? "CONTINUE" : "ABANDON";
}

static void on_completed(const AwsReply *reply, void *userdata)
{
    Lifecycle *lifecycle = userdata;
    const AwsError *error = reply->error;
    LogField fields[] = {{"AUTO_SCALING_GROUP", lifecycle->args.group}, {"LIFECYCLE_HOOK", lifecycle->hook}};

    if (!error)
        log_full(LOG_INFO, 0, MESSAGE_LIFECYCLE_DONE, fields, ARRAY_SIZE(fields),
                 "Completed lifecycle hook %s of group %s with %s", lifecycle->hook, lifecycle->args.group,
                 result_to_string(lifecycle->result));
    else if (streq(error->code, "ValidationError") && lifecycle->args.waiting && lifecycle->heartbeat_failed)
        log_full(LOG_WARNING, 0, MESSAGE_LIFECYCLE_FAILED, fields, ARRAY_SIZE(fields),
                 "Lifecycle hook %s of group %s did not take %s: no heartbeat was recorded, so that its "
                 "timeout has "
                 "passed (%s). If the group is terminating this instance, give the hook more time",
                 lifecycle->hook, lifecycle->args.group, result_to_string(lifecycle->result), error->message);
    else if (streq(error->code, "ValidationError"))
        log_debug("Lifecycle hook %s: %s", lifecycle->hook, error->message);
    else
        explain_log(LOG_WARNING, error,
                    "completing the lifecycle hook; the group will act on its own when the hook times out");
    lifecycle_finish(lifecycle);
}

static void lifecycle_send_complete(Lifecycle *lifecycle)
{
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    lifecycle_set_state(lifecycle, LIFECYCLE_STATE_COMPLETING);
    lifecycle->timer = sd_event_source_disable_unref(lifecycle->timer);
    lifecycle->heartbeat_call = aws_call_free(lifecycle->heartbeat_call);
    lifecycle->call = aws_call_free(lifecycle->call);
    r = autoscaling_query_complete_lifecycle_action(lifecycle->args.group, lifecycle->hook,
                                                    lifecycle->args.instance_id,
                                                    result_to_string(lifecycle->result), &query);
    if (r == 0)
        r = aws_call(lifecycle->args.aws, &query, time_add(time_monotonic(), COMPLETE_TIME), 0, on_completed,
                     lifecycle, &lifecycle->call);
    if (r < 0)
        lifecycle_fail_errno(lifecycle, r);
}

void lifecycle_complete(Lifecycle *lifecycle, LifecycleResult result)
{
    if (lifecycle->decided)
        return;
    lifecycle->decided = true;
    lifecycle->result = result;
    if (lifecycle->state == LIFECYCLE_STATE_WAITING)
        lifecycle_send_complete(lifecycle);
}

static int lifecycle_arm(Lifecycle *lifecycle, usec_t in);

static void on_heartbeat(const AwsReply *reply, void *userdata)
{
    Lifecycle *lifecycle = userdata;

    if (reply->error && !lifecycle->heartbeat_failed)
        explain_log(LOG_WARNING, reply->error,
                    "recording a heartbeat of the lifecycle hook; it may time out before this node is ready");
    lifecycle->heartbeat_failed = reply->error;
    lifecycle->heartbeat_call = aws_call_free(lifecycle->heartbeat_call);
}

static int on_heartbeat_due(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    Lifecycle *lifecycle = userdata;
    _cleanup_aws_query_ AwsQuery query = {0};
    usec_t deadline = time_add(time_monotonic(), lifecycle->heartbeat_timeout / 2);
    int r;

    lifecycle->heartbeat_call = aws_call_free(lifecycle->heartbeat_call);
    r = autoscaling_query_record_lifecycle_action_heartbeat(lifecycle->args.group, lifecycle->hook,
                                                            lifecycle->args.instance_id, &query);
    if (r == 0)
        r = aws_call(lifecycle->args.aws, &query, deadline, 0, on_heartbeat, lifecycle,
                     &lifecycle->heartbeat_call);
    if (r == 0)
        r = lifecycle_arm(lifecycle, lifecycle->heartbeat_timeout / 2);
    if (r < 0)
        log_warning_errno(r, "Lifecycle hook %s: no further heartbeats: %m", lifecycle->hook);
    return 0;
}

static int lifecycle_arm(Lifecycle *lifecycle, usec_t in)
{
    int r;

    lifecycle->timer = sd_event_source_disable_unref(lifecycle->timer);
    r = sd_event_add_time_relative(lifecycle->args.event, &lifecycle->timer, CLOCK_MONOTONIC, in, 0,
                                   on_heartbeat_due, lifecycle);
    if (r >= 0)
        (void)sd_event_source_set_description(lifecycle->timer, "lifecycle-heartbeat");
    return r;
}

/* The hook to answer: the one configured, or the only launching one. NULL: none, or too many (logged). */
static const AutoScalingLifecycleHook *lifecycle_choose(const Lifecycle *lifecycle, const AwsRecords *records)
{
    const AutoScalingLifecycleHook *chosen = NULL;
    bool any = streq(lifecycle->args.hook, "auto");

    for (size_t i = 0; i < records->n_hooks; i++) {
        const AutoScalingLifecycleHook *hook = &records->hooks[i];

        if (!streq_ptr(hook->transition, HOOK_LAUNCHING) || !hook->name ||
            !(any || streq(hook->name, lifecycle->args.hook)))
            continue;
        if (chosen) {
            log_at(LOG_WARNING, 0, MESSAGE_LIFECYCLE_FAILED,
                   "Group %s has several launching lifecycle hooks (%s, %s …): none is completed. Set "
                   "lifecycle_hook to the one that waits for this node",
                   lifecycle->args.group, chosen->name, hook->name);
            return NULL;
        }
        chosen = hook;
    }
    if (!chosen && !any)
        log_at(LOG_WARNING, 0, MESSAGE_LIFECYCLE_FAILED,
               "Group %s has no launching lifecycle hook named %s; see lifecycle_hook in the configuration",
               lifecycle->args.group, lifecycle->args.hook);
    return chosen;
}

static int lifecycle_begin_waiting(Lifecycle *lifecycle, const AutoScalingLifecycleHook *hook)
{
    int r;

    r = replace_string(&lifecycle->hook, hook->name);
    if (r < 0)
        return r;
    lifecycle->heartbeat_timeout =
        hook->heartbeat_timeout > 0 ? MAX(hook->heartbeat_timeout, HEARTBEAT_TIMEOUT_MIN) : HEARTBEAT_TIMEOUT;
    return lifecycle_arm(lifecycle,
                         lifecycle->args.again && !lifecycle->decided ? 0 : lifecycle->heartbeat_timeout / 2);
}

static void on_hooks(const AwsReply *reply, void *userdata)
{
    Lifecycle *lifecycle = userdata;
    const AutoScalingLifecycleHook *hook;
    int r;

    if (reply->error) {
        explain_log(LOG_WARNING, reply->error, "looking for the group's lifecycle hook");
        lifecycle_finish(lifecycle);
        return;
    }
    hook = lifecycle_choose(lifecycle, reply->records);
    if (!hook) {
        lifecycle_finish(lifecycle);
        return;
    }

    r = lifecycle_begin_waiting(lifecycle, hook);
    if (r < 0) {
        lifecycle_fail_errno(lifecycle, r);
        return;
    }
    lifecycle_set_state(lifecycle, LIFECYCLE_STATE_WAITING);
    if (lifecycle->decided)
        lifecycle_send_complete(lifecycle);
}

int lifecycle_start(Lifecycle **ret, const LifecycleArgs *args, LifecycleHandler handler, void *userdata)
{
    _cleanup_(lifecycle_freep) Lifecycle *lifecycle = NULL;
    _cleanup_aws_query_ AwsQuery query = {0};
    int r;

    lifecycle = calloc(1, sizeof(*lifecycle));
    if (!lifecycle)
        return -ENOMEM;
    *lifecycle = (Lifecycle){.args = *args, .handler = handler, .userdata = userdata};

    r = autoscaling_query_describe_lifecycle_hooks(args->group, &query);
    if (r == 0)
        r = aws_call(args->aws, &query, time_add(time_monotonic(), COMPLETE_TIME), 0, on_hooks, lifecycle,
                     &lifecycle->call);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(lifecycle);
    return 0;
}
