/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl plan: what the daemon would do on this node, and change nothing. It asks IMDS, EC2 and
 * Auto Scaling as the daemon does at boot, decides with the same code, and prints the result; no
 * mutating call can leave this program. It needs no running daemon.
 */

#include "ctl.h"
#include "eni/gather.h"
#include "plan/desired.h"
#include "plan/diff.h"
#include "table.h"
#include "util/json.h"
#include "util/log.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define PLAN_SECONDS 60
#define PLAN_TIME    (PLAN_SECONDS * USEC_PER_SEC)
#define PLAN_SILENCE (5 * USEC_PER_SEC) /* then it is said what is waited for */

typedef struct PlanCommand {
    const char *config_path;
    bool json;
    sd_event *event;
    sd_event_source *source_silence;
    Config *config;
    Gather *gather;
    Desired *desired;
    Plan *plan;
} PlanCommand;

static void plan_command_done(PlanCommand *command)
{
    plan_free(command->plan);
    desired_free(command->desired);
    gather_free(command->gather);
    config_free(command->config);
    (void)sd_event_source_disable_unref(command->source_silence);
    sd_event_unref(command->event);
}

static void print_help(void)
{
    puts(
        "usage: multus-eksctl plan [OPTION...]\n"
        "\n"
        "Show which network interfaces this node should have and what the daemon would do about it. Changes\n"
        "nothing. Waits for IMDS and AWS 60 seconds at most.\n"
        "\n"
        "Options:\n"
        "  --json          print the plan as JSON\n"
        "  --config FILE   configuration instead of " CONFIG_FILE
        "\n"
        "  -h, --help      show this text\n"
        "\n"
        "Exit status: 0 the plan was made, 1 it could not be, 2 wrong usage.");
}

static const struct {
    StepFlags step;
    const char *name;
} step_names[] = {
    {STEP_CREATE, "create"},
    {STEP_ATTACH, "attach"},
    {STEP_MODIFY_GROUPS, "set-groups"},
    {STEP_MODIFY_DELETE_ON_TERMINATION, "set-delete-on-termination"},
    {STEP_MODIFY_SOURCE_DEST_CHECK, "set-source-dest-check"},
};

/* ------------------------------------------------------------ JSON */

static json_t *steps_json(unsigned steps)
{
    json_t *array = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(step_names); i++)
        if (steps & step_names[i].step)
            (void)json_array_append_new(array, json_string(step_names[i].name));
    return array;
}

static json_t *strings_json(const StrList *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->n; i++)
        (void)json_array_append_new(array, json_string(list->items[i]));
    return array;
}

static json_t *tags_json(const KeyValueList *tags)
{
    json_t *object = json_object();

    for (size_t i = 0; i < tags->n; i++)
        (void)json_object_set_new(object, tags->items[i].key, json_string(tags->items[i].value));
    return object;
}

static json_t *eni_json(const EniPlan *eni)
{
    const DesiredEni *desired = eni->desired;

    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:i, s:i, s:s, s:b, s:b, s:b, s:i, s:s, s:o, s:o}", "name",
                     desired->ifname, "network", desired->network, "eni_id",
                     json_string_or_null(eni->observed ? eni->observed->network_interface_id : NULL),
                     "subnet_id", desired->subnet_id, "group_ids", strings_json(&desired->group_ids),
                     "device_index", (int)eni->device_index, "network_card_index", (int)desired->network_card,
                     "ip_allocation",
                     desired->ip_allocation == IP_ALLOCATION_DYNAMIC ? "dynamic" : "subnet-start", "ipv6",
                     desired->ipv6, "source_dest_check", desired->source_dest_check, "host_address",
                     desired->host_address, "mtu", (int)desired->mtu, "driver", desired->driver, "steps",
                     steps_json(eni->steps), "tags", tags_json(&desired->tags));
}

static void print_json(const PlanCommand *command)
{
    const Plan *plan = command->plan;
    _cleanup_json_ json_t *root = NULL;
    json_t *enis = json_array(), *removals = json_array();

    for (size_t i = 0; i < plan->n_enis; i++)
        (void)json_array_append_new(enis, eni_json(&plan->enis[i]));
    for (size_t i = 0; i < plan->n_removals; i++)
        (void)json_array_append_new(
            removals, json_pack("{s:s, s:b, s:s}", "eni_id", plan->removals[i].observed->network_interface_id,
                                "detach", plan->removals[i].detach, "reason", plan->removals[i].reason));

    root = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o}", "instance_id", gather_metadata(command->gather)->instance_id,
        "instance_type", gather_metadata(command->gather)->instance_type, "availability_zone",
        gather_metadata(command->gather)->availability_zone, "nodegroup",
        json_string_or_null(command->desired->nodegroup), "interfaces", enis, "removals", removals);
    (void)json_dumpf(root, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
}

/* ------------------------------------------------------------ table */

static char *steps_text(unsigned steps)
{
    _cleanup_buf_ Buf text = BUF_NULL;

    for (size_t i = 0; i < ARRAY_SIZE(step_names); i++)
        if (steps & step_names[i].step)
            (void)buf_printf(&text, "%s%s", text.n > 0 ? ", " : "", step_names[i].name);
    if (steps == 0)
        (void)buf_puts(&text, "nothing to do");
    return buf_take(&text);
}

static int table_add_eni(Table *table, const EniPlan *eni)
{
    const DesiredEni *desired = eni->desired;
    _cleanup_(freep) char *groups = strlist_join(&desired->group_ids, ",");
    _cleanup_(freep) char *steps = steps_text(eni->steps);
    char device[32];
    int r;

    (void)snprintf(device, sizeof(device), "%u/%u", desired->network_card, eni->device_index);
    r = table_add(table, desired->ifname);
    if (r == 0)
        r = table_add(table, desired->network);
    if (r == 0)
        r = table_add(table, eni->observed ? eni->observed->network_interface_id : "(new)");
    if (r == 0)
        r = table_add(table, desired->subnet_id);
    if (r == 0)
        r = table_add(table, groups);
    if (r == 0)
        r = table_add(table, device);
    if (r == 0)
        r = table_add(table, steps);
    return r;
}

static int print_table(const PlanCommand *command)
{
    static const char *const headings[] = {"NAME",   "NETWORK",    "ENI",  "SUBNET",
                                           "GROUPS", "CARD/INDEX", "STEPS"};
    const Metadata *metadata = gather_metadata(command->gather);
    _cleanup_(table_freep) Table *table = NULL;
    int r;

    printf("%s  %s  %s  %s%s\n", metadata->instance_id, metadata->instance_type, metadata->availability_zone,
           command->desired->nodegroup ? "nodegroup " : "no Auto Scaling group",
           command->desired->nodegroup ? command->desired->nodegroup : "");
    r = table_new(&table, headings, ARRAY_SIZE(headings));
    for (size_t i = 0; r == 0 && i < command->plan->n_enis; i++)
        r = table_add_eni(table, &command->plan->enis[i]);
    if (r < 0)
        return r;
    if (command->plan->n_enis > 0)
        table_print(table, stdout);
    else
        puts("no network is configured for this node");

    for (size_t i = 0; i < command->plan->n_removals; i++)
        printf("%s %s: %s\n", command->plan->removals[i].detach ? "detach and delete" : "delete",
               command->plan->removals[i].observed->network_interface_id, command->plan->removals[i].reason);
    return 0;
}

/* ------------------------------------------------------------ run */

static int print_kept(const Facts *facts, const Desired *desired)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    int r;

    r = desired_describe_kept(facts, desired, &text);
    if (r == 0 && text.data)
        fprintf(stderr, "%s\n", text.data);
    return r;
}

static int make_plan(PlanCommand *command)
{
    const Facts *facts = &gather_observation(command->gather)->facts;
    _cleanup_buf_ Buf notes = BUF_NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;
    int r;

    r = desired_compute(facts, &command->desired, &notes, &errors);
    if (r == 0)
        r = plan_compute(facts, command->desired, &command->plan, &errors);
    if (r == 0)
        (void)print_kept(facts, command->desired);
    if (notes.data)
        fputs(notes.data, stderr);
    if (r < 0) {
        fputs(errors.data ? errors.data : "multus-eksctl plan: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }

    if (command->json)
        print_json(command);
    else if (print_table(command) < 0)
        return CTL_EXIT_FAILED;
    return CTL_EXIT_OK;
}

static void on_gathered(Gather *gather, GatherEvent event, void *userdata)
{
    PlanCommand *command = userdata;

    switch (event) {
    case GATHER_EVENT_METADATA: return;
    case GATHER_EVENT_OBSERVED: (void)sd_event_exit(command->event, make_plan(command)); return;
    case GATHER_EVENT_FAILED:
        fprintf(stderr, "multus-eksctl plan: %s\n",
                gather_error(gather) ? gather_error(gather) : "out of memory");
        (void)sd_event_exit(command->event, CTL_EXIT_FAILED);
        return;
    }
}

static int on_silence(sd_event_source *source, uint64_t usec, void *userdata)
{
    const PlanCommand *command = userdata;

    (void)source;
    (void)usec;
    fprintf(stderr, "multus-eksctl plan: waiting for %s, %d seconds at most\n",
            gather_metadata(command->gather) ? "EC2 and Auto Scaling" : "the metadata service (IMDS)",
            PLAN_SECONDS);
    return 0;
}

static int run_plan(PlanCommand *command)
{
    _cleanup_buf_ Buf errors = BUF_NULL;
    int r;

    r = config_load(command->config_path, &command->config, &errors);
    if (r < 0) {
        if (errors.data)
            fputs(errors.data, stderr);
        else
            fprintf(stderr, "%s: %s\n", command->config_path, strerror(-r));
        return CTL_EXIT_FAILED;
    }

    r = sd_event_default(&command->event);
    if (r >= 0)
        r = gather_start(&command->gather, command->event, command->config,
                         time_add(time_monotonic(), PLAN_TIME), on_gathered, command);
    if (r >= 0)
        r = sd_event_add_time_relative(command->event, &command->source_silence, CLOCK_MONOTONIC,
                                       PLAN_SILENCE, 0, on_silence, command);
    if (r >= 0)
        r = sd_event_loop(command->event);
    if (r < 0) {
        fprintf(stderr, "multus-eksctl plan: %s\n", strerror(-r));
        return CTL_EXIT_FAILED;
    }
    return r;
}

int ctl_plan(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    _cleanup_(plan_command_done) PlanCommand command = {.config_path = CONFIG_FILE};
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
        switch (c) {
        case 'j': command.json = true; break;
        case 'c': command.config_path = optarg; break;
        case 'h': print_help(); return CTL_EXIT_OK;
        default: return ctl_try_help(argv[0]);
        }
    if (optind < argc)
        return ctl_unexpected(argv[0], argv[optind]);

    log_set_max_level(LOG_WARNING);
    return run_plan(&command);
}
