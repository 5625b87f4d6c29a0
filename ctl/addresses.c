/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl addresses: what is registered on this node, as a table or as the daemon's document.
 *
 * --watch shows it again when it changes. The socket has no events, so the daemon is asked once a
 * second; it answers from memory. What stands between two questions and is gone again is not seen.
 */

#include "ask.h"
#include "ctl.h"
#include "table.h"
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define ADDRESSES_TIMEOUT (10 * USEC_PER_SEC)
#define WATCH_PAUSE_MSEC  1000

typedef struct Options {
    const char *socket_path;
    bool json;
    bool watch;
} Options;

static void print_help(void)
{
    puts(
        "usage: multus-eksctl addresses [OPTION...]\n"
        "\n"
        "Show the pod addresses that are registered on this node.\n"
        "\n"
        "  STATE     wanted: its owner wants it; released: given back, unassigned after the cooldown;\n"
        "            stale: of an earlier boot, waits to be claimed again\n"
        "  ASSIGNED  whether EC2 has it on that interface: traffic arrives here\n"
        "\n"
        "Options:\n"
        "  --json          print the daemon's document; with --watch one line for each\n"
        "  --watch         go on, and show it again when it has changed (asks once a second)\n"
        "  --socket PATH   ask at this socket instead of " CLIENT_SOCKET
        "\n"
        "  -h, --help      show this text\n"
        "\n"
        "Exit status: 0 shown, 1 the daemon could not be asked, 2 wrong usage.");
}

static int add_row(Table *table, const json_t *item)
{
    static const char *const texts[] = {"address", "interface", "eni_id", "state"};
    const json_t *assigned = json_object_get(item, "assigned");
    const json_t *since = json_object_get(item, "since");
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
        r = table_add(table, json_string_value(json_object_get(item, texts[i])));
    r = r < 0 ? r : table_add(table, json_is_true(assigned) ? "yes" : json_is_false(assigned) ? "no" : NULL);
    r = r < 0 ? r : table_add(table, json_string_value(since));
    return r < 0 ? r : table_add(table, json_string_value(json_object_get(item, "owner")));
}

static int print_table(const json_t *document)
{
    static const char *const headings[] = {"ADDRESS",  "INTERFACE", "ENI",  "STATE",
                                           "ASSIGNED", "SINCE",     "OWNER"};
    const json_t *list = json_object_get(document, "addresses");
    _cleanup_(table_freep) Table *table = NULL;
    const json_t *item;
    size_t i;
    int r;

    if (json_array_size(list) == 0) {
        puts("no addresses");
        return 0;
    }
    r = table_new(&table, headings, ARRAY_SIZE(headings));
    if (r < 0)
        return r;
    json_array_foreach(list, i, item)
    {
        r = add_row(table, item);
        if (r < 0)
            return r;
    }
    table_print(table, stdout);
    return 0;
}

static int print_document(const Options *options, const json_t *document)
{
    if (!options->json)
        return print_table(document);
    (void)json_dumpf(document, stdout, options->watch ? JSON_COMPACT : JSON_INDENT(2));
    putchar('\n');
    return 0;
}

/* Until it is time to ask again. Returns false when the reader of the output is gone meanwhile. */
static bool pause_watch(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO}; /* no events: that it has ended is always told */

    return poll(&output, 1, WATCH_PAUSE_MSEC) <= 0;
}

/* Ends when the daemon cannot be asked, or the reader of the output is gone. */
static int watch(const Options *options)
{
    _cleanup_json_ json_t *shown = NULL;

    for (;;) {
        _cleanup_json_ json_t *document = NULL;

        if (ask_get(options->socket_path, "/v1/addresses", ADDRESSES_TIMEOUT, &document) < 0)
            return CTL_EXIT_FAILED;
        if (!shown || !json_equal(shown, document)) {
            if (shown && !options->json)
                putchar('\n');
            if (print_document(options, document) < 0 || fflush(stdout) != 0)
                return CTL_EXIT_FAILED;
            json_decref(shown);
            shown = TAKE_PTR(document);
        }
        if (!pause_watch())
            return CTL_EXIT_OK;
    }
}

static int show(const Options *options)
{
    _cleanup_json_ json_t *document = NULL;

    if (options->watch)
        return watch(options);
    if (ask_get(options->socket_path, "/v1/addresses", ADDRESSES_TIMEOUT, &document) < 0)
        return CTL_EXIT_FAILED;
    if (print_document(options, document) < 0) {
        fputs("multus-eksctl: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }
    return CTL_EXIT_OK;
}

int ctl_addresses(int argc, char **argv)
{
    enum { OPTION_JSON = 256, OPTION_WATCH, OPTION_SOCKET };
    static const struct option long_options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"watch", no_argument, NULL, OPTION_WATCH},
        {"socket", required_argument, NULL, OPTION_SOCKET},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    Options options = {.socket_path = CLIENT_SOCKET};
    int c;

    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0)
        switch (c) {
        case OPTION_JSON: options.json = true; break;
        case OPTION_WATCH: options.watch = true; break;
        case OPTION_SOCKET: options.socket_path = optarg; break;
        case 'h': print_help(); return CTL_EXIT_OK;
        default: return ctl_try_help(argv[0]);
        }
    if (optind < argc)
        return ctl_unexpected(argv[0], argv[optind]);
    return show(&options);
}
