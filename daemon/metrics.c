/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the daemon counts, for Prometheus. Names follow its conventions: base units, _total for counters.
 * Label values are interface names, network names and states, of which there are few.
 */

#include "metrics.h"
#include "serve.h"

typedef struct Metric {
    const char *name;
    const char *type;
    const char *help;
    double value;
} Metric;

static int write_metrics(Buf *text, const Metric *metrics, size_t n)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++)
        r = buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", metrics[i].name, metrics[i].help,
                       metrics[i].name, metrics[i].type, metrics[i].name, metrics[i].value);
    return r;
}

static double seconds_between(usec_t from, usec_t to)
{
    return to > from ? (double)(to - from) / (double)USEC_PER_SEC : 0;
}

static int write_boot(const Manager *manager, Buf *text)
{
    static const AwsStatistics none = {0};
    const AwsStatistics *calls = manager->aws ? aws_statistics(manager->aws) : &none;
    const Metric metrics[] = {
        {"multus_eks_ready", "gauge", "Whether every wanted interface is up.",
         manager->phase == MANAGER_PHASE_READY},
        {"multus_eks_degraded", "gauge", "Whether kubelet was let go although an interface is missing.",
         manager->phase == MANAGER_PHASE_DEGRADED},
        {"multus_eks_boot_seconds", "gauge", "Time from start to READY, 0 before.",
         seconds_between(manager->started, manager->milestones[MILESTONE_READY])},
        {"multus_eks_aws_requests_total", "counter", "Requests sent to EC2 and Auto Scaling.",
         (double)calls->n_calls},
        {"multus_eks_aws_mutating_requests_total", "counter", "Of these, requests that change something.",
         (double)calls->n_mutating},
        {"multus_eks_aws_throttled_total", "counter", "Replies that refused for the rate of calls.",
         (double)calls->n_throttled},
        {"multus_eks_aws_retries_total", "counter", "Requests that were repeated.", (double)calls->n_retried},
    };

    return write_metrics(text, metrics, ARRAY_SIZE(metrics));
}

static int write_interfaces(const Manager *manager, Buf *text)
{
    int r;

    r = buf_puts(text,
                 "# HELP multus_eks_interface_up Whether the interface is ready for pods.\n"
                 "# TYPE multus_eks_interface_up gauge\n");
    for (size_t i = 0; r == 0 && i < manager->n_interfaces; i++) {
        const Interface *interface = &manager->interfaces[i];
        const char *waiting;

        r = buf_printf(text, "multus_eks_interface_up{interface=\"%s\",network=\"%s\"} %d\n",
                       interface->desired->ifname, interface->desired->network,
                       interface_is_settled(interface, &waiting) && !interface_has_failed(interface));
    }
    return r;
}

static int write_addresses(const Registrar *registrar, Buf *text)
{
    const State *state = registrar_state(registrar);
    size_t counts[_REGISTRATION_STATE_MAX] = {0};
    int r;

    for (size_t i = 0; i < state_n(state); i++)
        counts[state_get(state, i)->state]++;

    r = buf_puts(text,
                 "# HELP multus_eks_addresses Addresses by what is to become of them.\n"
                 "# TYPE multus_eks_addresses gauge\n");
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(counts); i++)
        r = buf_printf(text, "multus_eks_addresses{state=\"%s\"} %zu\n",
                       registration_state_to_string((RegistrationState)i), counts[i]);
    return r;
}

/* Also what was there a while ago, and is looked at again. */
static size_t count_pending(const State *state)
{
    size_t n = 0;

    for (size_t i = 0; i < state_n(state); i++)
        n += state_get(state, i)->state == REGISTRATION_WANTED && !state_get(state, i)->assigned;
    return n;
}

static int write_registrar(const Registrar *registrar, Buf *text)
{
    const RegistrarStatistics *statistics = registrar_statistics(registrar);
    const Metric metrics[] = {
        {"multus_eks_addresses_pending", "gauge", "Wanted addresses of which EC2 is being asked.",
         (double)count_pending(registrar_state(registrar))},
        {"multus_eks_registered_total", "counter", "Registrations that succeeded.",
         (double)statistics->n_registered},
        {"multus_eks_released_total", "counter", "Addresses given back.", (double)statistics->n_released},
        {"multus_eks_refused_total", "counter", "Registrations that failed.", (double)statistics->n_refused},
        {"multus_eks_assign_calls_total", "counter", "Calls that assigned addresses.",
         (double)statistics->n_assign_calls},
        {"multus_eks_unassign_calls_total", "counter", "Calls that unassigned addresses.",
         (double)statistics->n_unassign_calls},
        {"multus_eks_batched_addresses_total", "counter", "Addresses in all these calls.",
         (double)statistics->n_batched},
        {"multus_eks_assign_seconds_total", "counter", "Time spent in calls that assign.",
         (double)statistics->assign_usec / (double)USEC_PER_SEC},
        {"multus_eks_moved_here_total", "counter", "Addresses taken over from another interface.",
         (double)statistics->n_moved_here},
        {"multus_eks_moved_away_total", "counter", "Addresses that another interface took.",
         (double)statistics->n_moved_away},
        {"multus_eks_flapping_total", "counter", "Addresses that two nodes want in turns.",
         (double)statistics->n_flapping},
    };
    int r;

    r = write_addresses(registrar, text);
    return r < 0 ? r : write_metrics(text, metrics, ARRAY_SIZE(metrics));
}

int metrics_write(const Manager *manager, Buf *text)
{
    const Registrar *registrar = manager->serve ? serve_registrar(manager->serve) : NULL;
    int r;

    r = write_boot(manager, text);
    if (r == 0)
        r = write_interfaces(manager, text);
    if (r == 0 && registrar)
        r = write_registrar(registrar, text);
    return r;
}
