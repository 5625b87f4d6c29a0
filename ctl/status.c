/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl status: asks the daemon for its status document and shows it: one line on the node, a
 * table of its interfaces, then what went wrong and what to do about it. --json prints the document as
 * it came, so that scripts depend on the daemon's contract and not on this program's table.
 *
 * The exit status tells the node's state, whichever form was asked for.
 */

#include "ask.h"
#include "ctl.h"
#include "table.h"
#include "util/buf.h"
#include "util/time.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>

/* The daemon answers status from memory and at once; it only takes longer when it hangs. */
#define STATUS_TIMEOUT (10 * USEC_PER_SEC)
/* Of the 17 digits of a double the last two are noise: 3.679 ms, not 3.6789999999999998. */
#define STATUS_PRECISION 15

static void print_help(void)
{
    puts(
        "usage: multus-eksctl status [OPTION...]\n"
        "\n"
        "Show the node's Multus network interfaces, the phase of the boot and its timing,\n"
        "and how many pod addresses are registered on each.\n"
        "\n"
        "Options:\n"
        "  --json          print the daemon's status document\n"
        "  --socket PATH   ask at this socket instead of " CLIENT_SOCKET
        "\n"
        "  -h, --help      show this text\n"
        "\n"
        "Exit status:\n"
        "  0  ready: every interface is up\n"
        "  1  the boot failed, or the daemon could not be asked\n"
        "  2  wrong usage\n"
        "  3  not ready yet\n"
        "  4  degraded: kubelet was let go although an interface is missing");
}

/* A string member, or NULL when it is absent, null or of another type. */
static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int exit_status(const json_t *status)
{
    const char *phase = text_of(status, "phase");

    if (streq_ptr(phase, "failed"))
        return CTL_EXIT_FAILED;
    if (streq_ptr(phase, "degraded"))
        return CTL_EXIT_DEGRADED;
    if (json_is_true(json_object_get(status, "ready")))
        return CTL_EXIT_OK;
    return CTL_EXIT_NOT_READY;
}

static void print_label(const json_t *status, const char *key, const char *label)
{
    const char *text = text_of(status, key);

    if (text)
        printf("  %s%s", label, text);
}

/* "ready in 2.14 s  i-0abc  m5.xlarge  us-east-1a  nodegroup ng-1  calls 11 (8 mutating)" */
static void print_header(const json_t *status)
{
    const json_t *ready_ms = json_object_get(json_object_get(status, "timings"), "ready_ms");
    const json_t *calls = json_object_get(status, "calls");
    const char *phase = text_of(status, "phase");
    json_int_t throttled = json_integer_value(json_object_get(calls, "throttled"));

    printf("%s", phase ? phase : "unknown phase");
    if (json_is_number(ready_ms))
        printf(" in %.2f s", json_number_value(ready_ms) / 1000);
    print_label(status, "instance_id", "");
    print_label(status, "instance_type", "");
    print_label(status, "availability_zone", "");
    print_label(status, "nodegroup", "nodegroup ");
    printf("  calls %lld (%lld mutating", (long long)json_integer_value(json_object_get(calls, "total")),
           (long long)json_integer_value(json_object_get(calls, "mutating")));
    if (throttled > 0)
        printf(", %lld throttled", (long long)throttled);
    puts(")");
}

static int add_number(Table *table, const json_t *value)
{
    char text[24];

    if (!json_is_integer(value))
        return table_add(table, NULL);
    (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
    return table_add(table, text);
}

/* Device index, and the network card where it is not the first: "1", "2/1". */
static int add_device(Table *table, const json_t *interface)
{
    const json_t *index = json_object_get(interface, "device_index");
    json_int_t card = json_integer_value(json_object_get(interface, "network_card_index"));
    char text[48];

    if (!json_is_integer(index) || card == 0)
        return add_number(table, index);
    (void)snprintf(text, sizeof(text), "%lld/%lld", (long long)json_integer_value(index), (long long)card);
    return table_add(table, text);
}

static int add_addresses(Table *table, const json_t *addresses)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    const json_t *address;
    size_t i;
    int r;

    json_array_foreach(addresses, i, address)
    {
        r = buf_printf(&text, "%s%s", i > 0 ? "," : "", json_string_value(address) ?: "?");
        if (r < 0)
            return r;
    }
    return table_add(table, text.data);
}

/* "50 IPv4, 50 IPv6": what the instance type allows on one interface, its own address included. */
static int add_limit(Table *table, const json_t *limit)
{
    const json_t *ipv4 = json_object_get(limit, "ipv4"), *ipv6 = json_object_get(limit, "ipv6");
    _cleanup_buf_ Buf text = BUF_NULL;
    int r = 0;

    if (json_is_integer(ipv4))
        r = buf_printf(&text, "%lld IPv4", (long long)json_integer_value(ipv4));
    if (r == 0 && json_is_integer(ipv6))
        r = buf_printf(&text, "%s%lld IPv6", text.n > 0 ? ", " : "", (long long)json_integer_value(ipv6));
    return r < 0 ? r : table_add(table, text.data);
}

static int add_interface(Table *table, const json_t *interface, bool registered)
{
    static const char *const texts[] = {"name", "network", "state", "eni_id", "mac", "subnet_id"};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
        r = table_add(table, text_of(interface, texts[i]));
    r = r < 0 ? r : add_device(table, interface);
    r = r < 0 ? r : add_addresses(table, json_object_get(interface, "addresses"));
    r = r < 0 ? r : add_number(table, json_object_get(interface, "mtu"));
    if (!registered)
        return r;
    r = r < 0 ? r : add_number(table, json_object_get(interface, "addresses_registered"));
    return r < 0 ? r : add_limit(table, json_object_get(interface, "address_limit"));
}

/* Only a daemon that serves registrations has these columns. */
static bool has_registered(const json_t *interfaces)
{
    const json_t *interface;
    size_t i;

    json_array_foreach(interfaces, i, interface)
    {
        if (json_object_get(interface, "addresses_registered"))
            return true;
    }
    return false;
}

/* Before the plan is made nobody knows which there will be. */
static bool is_planned(const json_t *status)
{
    const char *phase = text_of(status, "phase");

    return !streq_ptr(phase, "starting") && !streq_ptr(phase, "facts") && !streq_ptr(phase, "plan");
}

static int print_interfaces(const json_t *status)
{
    static const char *const headings[] = {"NAME", "NETWORK",   "STATE", "ENI",        "MAC",  "SUBNET",
                                           "DEV",  "ADDRESSES", "MTU",   "REGISTERED", "LIMIT"};
    const json_t *interfaces = json_object_get(status, "interfaces");
    const bool registered = has_registered(interfaces);
    _cleanup_(table_freep) Table *table = NULL;
    const json_t *interface;
    size_t i;
    int r;

    if (json_array_size(interfaces) == 0) {
        puts(is_planned(status) ? "no interfaces" : "interfaces: not known yet");
        return 0;
    }

    r = table_new(&table, headings, ARRAY_SIZE(headings) - (registered ? 0 : 2));
    if (r < 0)
        return r;
    json_array_foreach(interfaces, i, interface)
    {
        r = add_interface(table, interface, registered);
        if (r < 0)
            return r;
    }
    table_print(table, stdout);
    return 0;
}

/* What to do follows from how the boot ended; the error texts themselves name ENI, subnet and reason. */
static void print_errors(const json_t *status)
{
    const char *error = text_of(status, "error");
    const json_t *interface;
    size_t i;
    bool any = false;

    json_array_foreach(json_object_get(status, "interfaces"), i, interface)
    {
        const char *text = text_of(interface, "error");

        if (text) {
            printf("%s: %s\n", text_of(interface, "name") ?: "interface", text);
            any = true;
        }
    }
    if (error)
        printf("error: %s\n", error);
    if (!error && !any)
        return;

    puts("What happened and what to do: journalctl -x -u multus-eksd");
    switch (exit_status(status)) {
    case CTL_EXIT_FAILED:
        puts("kubelet is held back. When the cause is mended: systemctl restart multus-eksd");
        break;
    case CTL_EXIT_DEGRADED:
        puts(
            "kubelet runs without the missing interfaces. When the cause is mended: systemctl restart "
            "multus-eksd");
        break;
    default: break;
    }
}

static int print_status(const json_t *status)
{
    int r;

    print_header(status);
    r = print_interfaces(status);
    if (r < 0) {
        fputs("multus-eksctl: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }
    print_errors(status);
    return exit_status(status);
}

static int show(const char *socket_path, bool json)
{
    json_t *status;
    int r;

    r = ask_get(socket_path, "/v1/status", STATUS_TIMEOUT, &status);
    if (r < 0)
        return CTL_EXIT_FAILED;

    if (json) {
        (void)json_dumpf(status, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(STATUS_PRECISION));
        putchar('\n');
        r = exit_status(status);
    } else {
        r = print_status(status);
    }
    json_decref(status);
    return r;
}

int ctl_status(int argc, char **argv)
{
    enum { OPTION_JSON = 256, OPTION_SOCKET };
    static const struct option options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"socket", required_argument, NULL, OPTION_SOCKET},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *socket_path = CLIENT_SOCKET;
    bool json = false;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
        switch (c) {
        case OPTION_JSON: json = true; break;
        case OPTION_SOCKET: socket_path = optarg; break;
        case 'h': print_help(); return CTL_EXIT_OK;
        default: return ctl_try_help(argv[0]);
        }
    if (optind < argc)
        return ctl_unexpected(argv[0], argv[optind]);

    return show(socket_path, json);
}
