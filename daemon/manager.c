/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The stages of the daemon, in the order of the flow:
 *
 *   load_config -> fetch_facts -> plan -> reconcile + raise_links -> announce_ready -> serve
 *
 * Each stage is a function that sets the next one going; what arrives later comes as an event into
 * one of the on_… functions. The cloud says attached, the kernel says present: interfaces.c joins the
 * two, and manager_check_ready() is the one place that knows when nothing is awaited any more.
 *
 * The boot ends in one of three ways: ready; degraded, when something failed and on_failure is
 * continue (kubelet starts, the status says what is missing); failed, when on_failure is block (the
 * process exits, kubelet does not start; with the last try the lifecycle action is abandoned, as what
 * failed may succeed with the next). All three go through manager_finish_boot(). After it no timer
 * runs, but for what is still being detached and swept: an idle daemon does not wake up.
 */

#include "handover.h"
#include "io/http.h"
#include "manager-private.h"
#include "serve.h"
#include "tries.h"
#include "util/fs.h"
#include "util/memory.h"
#include "util/message-ids.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PROGRESS_INTERVAL (15 * USEC_PER_SEC)

/* After boot_timeout what was begun is taken back; systemd is asked to wait for that too. */
#define BOOT_GRACE (90 * USEC_PER_SEC)

static void manager_fail(Manager *manager, const char *text);

static const char *const phase_names[_MANAGER_PHASE_MAX] = {
    [MANAGER_PHASE_STARTING] = "starting", [MANAGER_PHASE_FACTS] = "facts",
    [MANAGER_PHASE_PLAN] = "plan",         [MANAGER_PHASE_RECONCILE] = "reconcile",
    [MANAGER_PHASE_LINKS] = "links",       [MANAGER_PHASE_READY] = "ready",
    [MANAGER_PHASE_DEGRADED] = "degraded", [MANAGER_PHASE_FAILED] = "failed",
    [MANAGER_PHASE_STOPPING] = "stopping",
};

const char *manager_phase_to_string(ManagerPhase phase)
{
    return phase_names[phase];
}

static void manager_set_phase(Manager *manager, ManagerPhase phase)
{
    if (manager->phase == phase)
        return;
    assert(phase > manager->phase);
    log_debug("Phase %s -> %s", phase_names[manager->phase], phase_names[phase]);
    manager->phase = phase;
}

void manager_reach(Manager *manager, Milestone milestone)
{
    if (manager->phase < MANAGER_PHASE_READY)
        manager->milestones[milestone] = time_monotonic();
}

/* Of EC2's calls: a little before boot_timeout, for what a call ends with says more. CLOCK_MONOTONIC. */
static usec_t calls_deadline(const Manager *manager)
{
    return time_add(manager->started,
                    manager->config->boot_timeout - MIN(manager->config->boot_timeout / 8, USEC_PER_SEC));
}

/* ------------------------------------------------------------ the end of the boot */

static void manager_exit(Manager *manager)
{
    if (!manager->lifecycle || lifecycle_is_done(manager->lifecycle))
        (void)sd_event_exit(manager->event, manager->exit_code);
}

static void on_lifecycle_done(void *userdata)
{
    Manager *manager = userdata;

    if (manager->phase == MANAGER_PHASE_FAILED)
        manager_exit(manager);
}

/* waiting: known to be, not only likely */
static void open_lifecycle(Manager *manager, const char *group, bool waiting)
{
    LifecycleArgs args = {
        .aws = manager->aws,
        .event = manager->event,
        .group = group,
        .instance_id = manager->metadata->instance_id,
        .hook = manager->config->lifecycle_hook,
        .waiting = waiting,
        .again = tries_any(manager->options.runtime_dir),
    };
    int r;

    if (streq(args.hook, "none"))
        return;
    r = lifecycle_start(&manager->lifecycle, &args, on_lifecycle_done, manager);
    if (r < 0)
        log_at(LOG_WARNING, r, MESSAGE_LIFECYCLE_FAILED, "Lifecycle hook of group %s: %m", group);
}

/*
 * When the facts could not be had, the group's name may be among those that were. Whether it is launching
 * this instance is not known then, but where no action is active, Auto Scaling answers with a
 * ValidationError, and nothing is changed.
 */
static void open_lifecycle_late(Manager *manager)
{
    const char *group = manager->phase == MANAGER_PHASE_FACTS ? gather_group(manager->gather) : NULL;

    if (group && !manager->lifecycle)
        open_lifecycle(manager, group, false);
}

static void on_swept(void *userdata)
{
    Manager *manager = userdata;

    manager->sweep = sweep_free(manager->sweep);
}

static void manager_sweep(Manager *manager)
{
    Observation *observation = gather_observation(manager->gather);
    usec_t now;
    int r;

    if (!manager->config->sweep_leaked || !observation)
        return;
    /* The interfaces' ages are told in the time of AWS. */
    now = time_realtime() + (usec_t)aws_clock_offset(manager->aws);
    r = sweep_start(&manager->sweep, manager->aws, manager->event, &observation->leftovers, now, on_swept,
                    manager);
    if (r < 0)
        log_warning_errno(r, "Cannot look for leaked interfaces: %m");
}

static void manager_log_clock(const Manager *manager)
{
    int64_t offset = manager->aws ? aws_clock_offset(manager->aws) : 0;

    if (offset != 0)
        log_at(
            LOG_WARNING, 0, MESSAGE_CLOCK_SKEW,
            "This host's clock is %+.0f s off the clock of AWS. Calls are signed with AWS's time; see that "
            "chronyd runs before multus-eksd",
            (double)-offset / (double)USEC_PER_SEC);
}

static void manager_serve(Manager *manager, ManagerPhase phase)
{
    int r;

    if (phase == MANAGER_PHASE_FAILED) {
        serve_refuse(manager->serve);
        return;
    }
    r = serve_start(manager->serve);
    if (r < 0) {
        log_error_errno(r, "Cannot serve pod addresses: %m");
        serve_refuse(manager->serve);
    }
}

/* The instance goes on waiting for the next try. */
static void leave_lifecycle(Manager *manager)
{
    manager->lifecycle = lifecycle_free(manager->lifecycle);
}

static void manager_finish_boot(Manager *manager, ManagerPhase phase)
{
    LifecycleResult result = phase == MANAGER_PHASE_FAILED ? LIFECYCLE_ABANDON : LIFECYCLE_CONTINUE;

    manager_reach(manager, MILESTONE_READY);
    manager_set_phase(manager, phase);
    manager->boot_timer = sd_event_source_disable_unref(manager->boot_timer);
    manager->progress_timer = sd_event_source_disable_unref(manager->progress_timer);
    manager_log_clock(manager);
    manager_serve(manager, phase);
    links_settle(manager->links);
    if (phase != MANAGER_PHASE_FAILED)
        tries_forget(manager->options.runtime_dir);
    if (manager->lifecycle)
        lifecycle_complete(manager->lifecycle, result);
}

static void announce_ready(Manager *manager)
{
    double seconds;

    handover_all(manager);
    manager_finish_boot(manager, MANAGER_PHASE_READY);
    seconds = (double)(manager->milestones[MILESTONE_READY] - manager->started) / (double)USEC_PER_SEC;
    (void)sd_notifyf(0, "READY=1\nSTATUS=%zu interfaces up after %.1f s", manager->n_interfaces, seconds);
    log_at(LOG_INFO, 0, MESSAGE_BOOT_READY, "Ready: %zu interfaces up after %.3f s", manager->n_interfaces,
           seconds);
    manager_sweep(manager);
    memory_give_back();
}

static void announce_degraded(Manager *manager, const char *sum)
{
    handover_all(manager);
    open_lifecycle_late(manager);
    manager_finish_boot(manager, MANAGER_PHASE_DEGRADED);
    log_at(LOG_ERR, 0, MESSAGE_BOOT_DEGRADED,
           "Degraded: %s. kubelet starts all the same (on_failure = continue); when it is mended: systemctl "
           "restart multus-eksd",
           sum);
    (void)sd_notifyf(0, "READY=1\nSTATUS=Degraded: %s", manager->error);
    /* Leaked interfaces may be what fills the subnet. */
    manager_sweep(manager);
    memory_give_back();
}

/* multus-eksd.service notes there that an earlier run in this boot was ready, upon which kubelet was let go.
 */
static bool was_ready(const Manager *manager)
{
    char path[PATH_MAX];

    return fs_path(path, "%s/ready", manager->options.runtime_dir) == 0 && access(path, F_OK) == 0;
}

static void announce_failed(Manager *manager, const char *sum)
{
    unsigned n = tries_failed(manager->options.runtime_dir);

    manager->exit_code = n < TRIES_MAX ? MANAGER_EXIT_FAILURE : MANAGER_EXIT_GIVEN_UP;
    log_at(LOG_ERR, 0, MESSAGE_BOOT_FAILED,
           "Failed: %s. kubelet %s (on_failure = block; try %u of %u); when it is mended: systemctl restart "
           "multus-eksd",
           sum,
           was_ready(manager) ? "was started before and goes on, but no pod address is registered"
                              : "is not started",
           n, TRIES_MAX);
    (void)sd_notifyf(0, "STATUS=Failed: %s", manager->error);
    if (manager->exit_code == MANAGER_EXIT_GIVEN_UP)
        open_lifecycle_late(manager);
    else
        leave_lifecycle(manager);
    manager_finish_boot(manager, MANAGER_PHASE_FAILED);
    manager_exit(manager);
}

/*
 * The end without success. A cause that has a message id of its own is an entry of its own, with the fields
 * of the call that failed, if any; what is said of the boot then only points to it: every cause is told once.
 */
static void manager_fail_cause(Manager *manager, const char *message_id, const CallFields *call,
                               const char *text)
{
    LogField fields[N_CALL_FIELDS] = {0};
    const char *sum;

    if (manager->phase >= MANAGER_PHASE_READY)
        return;
    (void)replace_string(&manager->error, text ?: "out of memory");
    /* A line of its own would be another notification (sd_notify(3)); the words may be those of AWS. */
    for (char *c = manager->error; c && *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    sum = manager->error ?: "out of memory";
    if (message_id) {
        if (call)
            call_fields_put(call, fields);
        log_full(LOG_ERR, 0, message_id, fields, call ? N_CALL_FIELDS : 0, "%s", sum);
        sum = "see the error above";
    }

    if (manager->config->on_failure == ON_FAILURE_BLOCK)
        announce_failed(manager, sum);
    else
        announce_degraded(manager, sum);
}

static void manager_fail(Manager *manager, const char *text)
{
    manager_fail_cause(manager, NULL, NULL, text);
}

static void manager_fail_errno(Manager *manager, int r)
{
    manager_fail(manager, strerror(-r));
}

/* Each has been logged when it failed; here is the sum. */
static void manager_fail_interfaces(Manager *manager, size_t n_failed)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    int r;

    r = buf_printf(&text, "%zu of %zu interfaces failed:", n_failed, manager->n_interfaces);
    for (size_t i = 0; r == 0 && i < manager->n_interfaces; i++)
        if (interface_has_failed(&manager->interfaces[i]))
            r = buf_printf(&text, " %s", manager->interfaces[i].desired->ifname);
    manager_fail(manager, r < 0 ? NULL : text.data);
}

void manager_check_ready(Manager *manager)
{
    size_t n_failed = 0;
    const char *waiting = "";

    if (manager->phase != MANAGER_PHASE_RECONCILE && manager->phase != MANAGER_PHASE_LINKS)
        return;

    if (manager->phase == MANAGER_PHASE_RECONCILE) {
        if (!reconcile_is_over(manager->reconcile))
            return;
        manager_set_phase(manager, MANAGER_PHASE_LINKS);
    }
    for (size_t i = 0; i < manager->n_interfaces; i++) {
        if (!interface_is_settled(&manager->interfaces[i], &waiting)) {
            log_debug("Not ready: %s is at %s", manager->interfaces[i].desired->ifname, waiting);
            return;
        }
        n_failed += interface_has_failed(&manager->interfaces[i]);
    }

    if (n_failed > 0)
        manager_fail_interfaces(manager, n_failed);
    else
        announce_ready(manager);
}

/* What the boot waits for at the moment. */
static void manager_describe(const Manager *manager, Buf *text)
{
    const char *waiting = "", *separator = "";

    if (manager->phase == MANAGER_PHASE_FACTS) {
        gather_describe(manager->gather, text);
        return;
    }
    for (size_t i = 0; i < manager->n_interfaces; i++) {
        if (interface_is_settled(&manager->interfaces[i], &waiting))
            continue;
        (void)buf_printf(text, "%s%s (%s)", separator, manager->interfaces[i].desired->ifname, waiting);
        separator = ", ";
    }
    if (!separator[0])
        (void)buf_puts(text, "unwanted interfaces to be deleted");
}

/* It gives back what it has made, then fails. */
static void give_up_late(Interface *interface, const char *waiting)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    int r;

    r = buf_printf(&text, "boot_timeout has passed, and it is still at %s", waiting);
    eni_give_up(interface->eni, r < 0 ? "boot_timeout has passed" : text.data);
}

static int on_boot_timeout(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    Manager *manager = userdata;
    _cleanup_buf_ Buf text = BUF_NULL;
    const char *waiting;

    (void)buf_puts(&text, "boot_timeout has passed; still waiting for ");
    manager_describe(manager, &text);
    if (manager->phase != MANAGER_PHASE_RECONCILE && manager->phase != MANAGER_PHASE_LINKS) {
        manager_fail(manager, text.data);
        return 0;
    }

    for (size_t i = 0; i < manager->n_interfaces; i++)
        if (!interface_is_settled(&manager->interfaces[i], &waiting))
            give_up_late(&manager->interfaces[i], waiting);
    if (manager->phase < MANAGER_PHASE_READY && !reconcile_is_over(manager->reconcile))
        return 0;
    manager_fail(manager, text.data);
    return 0;
}

static int on_progress(sd_event_source *source, uint64_t usec _unused_, void *userdata)
{
    Manager *manager = userdata;
    _cleanup_buf_ Buf text = BUF_NULL;

    manager_describe(manager, &text);
    log_notice("Still waiting for %s", text.data ?: "");
    (void)sd_notifyf(0, "STATUS=Waiting for %s", text.data ?: "");
    (void)sd_event_source_set_time_relative(source, PROGRESS_INTERVAL);
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

/* ------------------------------------------------------------ plan, reconcile, links */

static void log_lines(int level, const char *message_id, const Buf *lines)
{
    _cleanup_(freep) char *copy = lines->data ? strdup(lines->data) : NULL;
    char *save = NULL;

    for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
        log_at(level, 0, message_id, "%s", line);
}

static int open_links(Manager *manager)
{
    const DriverHost drivers = {.sysfs = manager->sysfs, .memory = manager->drivers_dir};
    int r;

    r = links_new(&manager->links, manager->event, "/proc/sys", interfaces_on_link, manager);
    if (r < 0)
        return r;
    links_set_drivers(manager->links, &drivers);
    if (was_ready(manager)) /* pods come and go */
        links_settle(manager->links);
    r = rtnl_new(&manager->rtnl, manager->event, links_on_rtnl, manager->links);
    if (r == 0)
        r = links_start(manager->links, manager->rtnl);
    return r;
}

static void log_overrides(const Manager *manager)
{
    _cleanup_strlist_ StrList overrides = STRLIST_NULL;

    if (links_overrides(manager->links, &overrides) < 0)
        return;
    for (size_t i = 0; i < overrides.n; i++)
        log_at(LOG_WARNING, 0, MESSAGE_LINK_OVERRIDDEN, "%s", overrides.items[i]);
}

static void on_removed(void *userdata)
{
    manager_check_ready(userdata);
}

static int run_plan(Manager *manager)
{
    const Facts *facts = &gather_observation(manager->gather)->facts;
    ReconcileArgs args = {
        .aws = manager->aws,
        .event = manager->event,
        .intents = manager->intents,
        .facts = facts,
        .plan = manager->plan,
        .lists = &gather_observation(manager->gather)->lists,
        .deadline = calls_deadline(manager),
        .removed_by = time_add(manager->started, manager->config->boot_timeout),
        .handler = interfaces_on_eni,
        .removed = on_removed,
        .userdata = manager,
    };
    int r;

    /* In this order: an interface without its side in EC2 is one that nobody could serve or tell of. */
    r = reconcile_new(&manager->reconcile, &args);
    subnet_lists_done(args.lists);
    if (r == 0)
        r = interfaces_new(manager);
    if (r < 0)
        return r;

    log_overrides(manager);
    manager_set_phase(manager, MANAGER_PHASE_RECONCILE);
    reconcile_start(manager->reconcile);
    return 0;
}

static int make_plan(Manager *manager, Buf *errors)
{
    const Facts *facts = &gather_observation(manager->gather)->facts;
    _cleanup_buf_ Buf notes = BUF_NULL;
    int r;

    r = desired_compute(facts, &manager->desired, &notes, errors);
    log_lines(LOG_INFO, NULL, &notes);
    if (r == 0)
        r = plan_compute(facts, manager->desired, &manager->plan, errors);
    return r;
}

/* One entry for each mistake; the last of them stands for all in the status. */
static void fail_plan(Manager *manager, Buf *errors)
{
    char *last;

    while (errors->n > 0 && errors->data[errors->n - 1] == '\n')
        errors->data[--errors->n] = '\0';
    last = errors->n > 0 ? strrchr(errors->data, '\n') : NULL;
    if (last) {
        *last++ = '\0';
        log_lines(LOG_ERR, MESSAGE_PLAN_IMPOSSIBLE, errors);
    }
    manager_fail_cause(manager, MESSAGE_PLAN_IMPOSSIBLE, NULL, last ?: errors->data);
}

/* What nobody asks for: nothing to do, or interfaces that stay all the same. */
static void log_unnamed(const Manager *manager)
{
    _cleanup_buf_ Buf kept = BUF_NULL;

    (void)desired_describe_kept(&gather_observation(manager->gather)->facts, manager->desired, &kept);
    if (kept.data)
        log_at(LOG_WARNING, 0, MESSAGE_ENIS_KEPT, "%s", kept.data);
    else if (manager->desired->n_enis == 0)
        log_at(LOG_WARNING, 0, MESSAGE_NO_NETWORKS,
               "No network is configured for this node: neither a [network] section nor a tag of the "
               "instance or its Auto Scaling group names subnets, and no subnet in %s has the tag "
               "%sdevice-index",
               manager->metadata->availability_zone, manager->config->tag_prefix);
}

static void plan_and_run(Manager *manager)
{
    _cleanup_buf_ Buf errors = BUF_NULL;
    int r;

    manager_set_phase(manager, MANAGER_PHASE_PLAN);
    r = make_plan(manager, &errors);
    if (r == -EINVAL) {
        fail_plan(manager, &errors);
        return;
    }
    if (r < 0) {
        manager_fail_errno(manager, r);
        return;
    }

    manager_reach(manager, MILESTONE_PLANNED);
    log_unnamed(manager);
    r = run_plan(manager);
    if (r < 0)
        manager_fail_errno(manager, r);
    else
        manager_check_ready(manager);
}

/* ------------------------------------------------------------ facts */

/*
 * An instance of a warm pool waits in states of its own, with the same hook (Amazon EC2 Auto Scaling User
 * Guide, "Lifecycle state transitions for instances in a warm pool").
 */
static bool is_launching(const char *lifecycle_state, bool *ret_waiting)
{
    static const char *const states[] = {"Pending", "Pending:Wait", "Warmed:Pending", "Warmed:Pending:Wait"};

    for (size_t i = 0; lifecycle_state && i < ARRAY_SIZE(states); i++)
        if (streq(lifecycle_state, states[i])) {
            *ret_waiting = i % 2 == 1;
            return true;
        }
    return false;
}

static void start_lifecycle(Manager *manager)
{
    const Observation *observation = gather_observation(manager->gather);
    bool waiting;

    if (is_launching(observation->lifecycle_state, &waiting))
        open_lifecycle(manager, observation->groups.groups[0].name, waiting);
}

static void load_intents(Manager *manager)
{
    int r;

    r = intents_load(&manager->intents, manager->intents_path, manager->metadata->instance_id);
    if (r < 0)
        manager_fail_errno(manager, r);
    else
        gather_for_boot(manager->gather, intents_are_first(manager->intents));
}

static void on_gathered(Gather *gather, GatherEvent event, void *userdata)
{
    Manager *manager = userdata;

    switch (event) {
    case GATHER_EVENT_METADATA:
        manager->metadata = gather_metadata(gather);
        manager->aws = gather_aws(gather);
        manager_reach(manager, MILESTONE_METADATA);
        load_intents(manager);
        break;
    case GATHER_EVENT_OBSERVED:
        manager_reach(manager, MILESTONE_OBSERVED);
        if (manager->phase != MANAGER_PHASE_FACTS)
            return; /* the boot timed out meanwhile */
        start_lifecycle(manager);
        plan_and_run(manager);
        break;
    case GATHER_EVENT_FAILED:
        manager_fail_cause(manager, gather_message_id(gather), gather_failed_call(gather),
                           gather_error(gather));
        break;
    }
}

static int fetch_facts(Manager *manager)
{
    manager_set_phase(manager, MANAGER_PHASE_FACTS);
    return gather_start(&manager->gather, manager->event, manager->config, calls_deadline(manager),
                        on_gathered, manager);
}

/* ------------------------------------------------------------ start */

static int load_config(Manager *manager)
{
    _cleanup_buf_ Buf errors = BUF_NULL;
    int r;

    r = config_load(manager->options.config_path, &manager->config, &errors);
    if (r == -EINVAL) {
        log_lines(LOG_ERR, MESSAGE_CONFIG_INVALID, &errors);
        (void)sd_notify(0, "STATUS=The configuration has mistakes; see the journal");
        return MANAGER_EXIT_CONFIG;
    }
    if (r < 0) {
        log_error_errno(r, "Cannot read %s: %m", manager->options.config_path);
        return MANAGER_EXIT_FAILURE;
    }

    log_set_max_level(manager->options.log_level >= 0 ? manager->options.log_level
                                                      : manager->config->log_level);
    return 0;
}

static int open_server(Manager *manager)
{
    return serve_new(&manager->serve, manager, TAKE_FD(manager->options.fd_socket));
}

static int add_timer(Manager *manager, sd_event_source **source, usec_t relative,
                     sd_event_time_handler_t handler, const char *name)
{
    int r;

    r = sd_event_add_time_relative(manager->event, source, CLOCK_MONOTONIC, relative, 0, handler, manager);
    if (r >= 0)
        (void)sd_event_source_set_description(*source, name);
    return r < 0 ? r : 0;
}

static int start_stages(Manager *manager)
{
    int r;

    r = add_timer(manager, &manager->boot_timer, manager->config->boot_timeout, on_boot_timeout,
                  "boot-timeout");
    /* Before the calls, whose time ends in the same moment: it knows what the boot was waiting for. */
    if (r == 0)
        r = sd_event_source_set_priority(manager->boot_timer, HTTP_PRIORITY - 1);
    if (r == 0)
        r = add_timer(manager, &manager->progress_timer, PROGRESS_INTERVAL, on_progress, "boot-progress");
    if (r == 0)
        r = open_server(manager);
    if (r == 0)
        r = open_links(manager);
    if (r == 0)
        r = fetch_facts(manager);
    return r;
}

int manager_start(Manager *manager)
{
    int r;

    manager->started = time_monotonic();
    r = load_config(manager);
    if (r != 0)
        return r;

    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=Asking what this node should have",
                     time_add(manager->config->boot_timeout, BOOT_GRACE));
    r = start_stages(manager);
    if (r < 0) {
        log_error_errno(r, "Cannot start: %m");
        return MANAGER_EXIT_FAILURE;
    }
    return 0;
}

static int on_signal(sd_event_source *source _unused_, const struct signalfd_siginfo *info, void *userdata)
{
    Manager *manager = userdata;

    log_info("Stopping on signal %u", info->ssi_signo);
    (void)sd_notify(0, "STOPPING=1");
    manager->phase = MANAGER_PHASE_STOPPING;
    (void)sd_event_exit(manager->event, 0);
    return 0;
}

static int add_signals(Manager *manager)
{
    static const int signals[] = {SIGTERM, SIGINT};
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        r = sd_event_add_signal(manager->event, NULL, signals[i], on_signal, manager);
        if (r < 0)
            return r;
    }
    return 0;
}

static int make_path(const char *directory, const char *name, char **ret)
{
    char *path;

    if (asprintf(&path, "%s%s", directory, name) < 0)
        return -ENOMEM;
    *ret = path;
    return 0;
}

static int manager_make_paths(Manager *manager)
{
    int r;

    r = make_path(manager->options.runtime_dir, "/claims", &manager->claims_dirs[CLAIMS_RUNTIME]);
    if (r == 0)
        r = make_path(manager->options.state_dir, "/claims", &manager->claims_dirs[CLAIMS_STATE]);
    if (r == 0)
        r = make_path(manager->options.runtime_dir, "/drivers", &manager->drivers_dir);
    if (r == 0)
        r = make_path(manager->options.state_dir, "/intents.json", &manager->intents_path);
    if (r == 0)
        r = make_path(manager->options.root, "/sys", &manager->sysfs);
    return r;
}

int manager_new(Manager **ret, sd_event *event, const ManagerOptions *options)
{
    _cleanup_(manager_freep) Manager *manager = NULL;
    int r;

    manager = calloc(1, sizeof(*manager));
    if (!manager)
        return -ENOMEM;
    manager->event = sd_event_ref(event);
    manager->options = *options;

    r = manager_make_paths(manager);
    if (r < 0)
        return r;
    r = fs_mkdir_p(options->state_dir, 0755);
    if (r < 0)
        log_debug_errno(r, "%s: %m", options->state_dir);
    r = add_signals(manager);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(manager);
    return 0;
}

Manager *manager_free(Manager *manager)
{
    if (!manager)
        return NULL;

    sd_event_source_disable_unref(manager->progress_timer);
    sd_event_source_disable_unref(manager->boot_timer);
    serve_free(manager->serve);
    sweep_free(manager->sweep);
    lifecycle_free(manager->lifecycle);
    reconcile_free(manager->reconcile);
    interfaces_done(manager);
    intents_free(manager->intents);
    plan_free(manager->plan);
    desired_free(manager->desired);
    links_free(manager->links);
    rtnl_free(manager->rtnl);
    gather_free(manager->gather);
    config_free(manager->config);
    if (manager->options.fd_socket >= 0)
        (void)close(manager->options.fd_socket);
    for (size_t i = 0; i < ARRAY_SIZE(manager->claims_dirs); i++)
        free(manager->claims_dirs[i]);
    free(manager->intents_path);
    free(manager->drivers_dir);
    free(manager->sysfs);
    free(manager->error);
    sd_event_unref(manager->event);
    return mfree(manager);
}
