/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl register, unregister: what a script or a person does by hand with the same requests as
 * pods. Several addresses are one request when they are registered, so that the daemon can make one
 * call of them; giving one back is cheap, and is one request each.
 *
 * Each address has a line of its own in the output, and the exit status is that of the worst: a script
 * must tell "ask again later" from "asking again does not help".
 */

#include "ask.h"
#include "ctl.h"
#include "register/protocol.h"
#include "util/inaddr.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#define REGISTER_TIMEOUT_DEFAULT (60 * USEC_PER_SEC)

typedef struct Options {
    const char *command; /* argv[0] */
    const char *socket_path;
    const char *owner;
    const char *interface; /* or NULL */
    usec_t timeout;
    char (*addresses)[IN_ADDR_TEXT]; /* canonical, owned */
    size_t n_addresses;
} Options;

#define HELP_COMMON                                                                                          \
    "  --socket PATH      ask at this socket instead of " CLIENT_SOCKET                                      \
    "\n"                                                                                                     \
    "  --timeout TIME     wait so long, such as 90, 90s or 2min (60s)\n"                                     \
    "  -h, --help         show this text\n"                                                                  \
    "\n"                                                                                                     \
    "Exit status, of several addresses the worst:\n"

static void print_register_help(void)
{
    puts(
        "usage: multus-eksctl register [OPTION...] ADDRESS...\n"
        "\n"
        "Make addresses routable to this node. Done already is success; of another node, they move here.\n"
        "\n"
        "Options:\n"
        "  --interface NAME   where they belong: an interface's name, a network's, or an ENI id;\n"
        "                     default: the one whose subnet holds the address\n"
        "  --owner NAME       for whom; unregister takes the same (multus-eksctl)\n" HELP_COMMON
        "  0  registered: EC2 has done it\n"
        "  1  EC2 refused, or the daemon could not be asked\n"
        "  2  wrong usage\n"
        "  3  not now, try again: the daemon is not ready, busy, or EC2 takes too long\n"
        "  5  not at all: reserved, in no subnet of this node, held elsewhere, or no room on the interface");
}

static void print_unregister_help(void)
{
    puts(
        "usage: multus-eksctl unregister [OPTION...] ADDRESS...\n"
        "\n"
        "Give addresses back. EC2 unassigns them after release_cooldown. One that is not registered is\n"
        "success.\n"
        "\n"
        "Options:\n"
        "  --owner NAME       who registered them, see 'multus-eksctl addresses' "
        "(multus-eksctl)\n" HELP_COMMON
        "  0  given back\n"
        "  1  the daemon could not do it, or not be asked\n"
        "  2  wrong usage\n"
        "  3  not now, try again: the daemon is not ready or busy\n"
        "  5  somebody else owns it: nothing was changed");
}

/* The later in this order, the worse. */
static int worse(int a, int b)
{
    static const int order[] = {CTL_EXIT_OK, CTL_EXIT_NOT_READY, CTL_EXIT_REFUSED, CTL_EXIT_FAILED};

    for (size_t i = ARRAY_SIZE(order); i-- > 0;)
        if (a == order[i] || b == order[i])
            return order[i];
    return CTL_EXIT_FAILED;
}

static int exit_of(unsigned status, const json_t *document)
{
    if (client_is_temporary(status, document))
        return CTL_EXIT_NOT_READY;
    switch (status) {
    case 400:
    case 404:
    case 409:
    case 422:
    case 507: return CTL_EXIT_REFUSED;
    default: return CTL_EXIT_FAILED;
    }
}

/* The rest of a text that begins with the address and these words, or NULL. */
static const char *text_behind(const char *text, const char *address, const char *words)
{
    size_t n = strlen(address);

    if (!text || strncmp(text, address, n) != 0 || strncmp(text + n, words, strlen(words)) != 0)
        return NULL;
    return text + n + strlen(words);
}

/*
 * "multus-eksctl: 10.0.1.7: no such subnet (HTTP 422, EC2 SomeCode, request 1234)"; most of what the daemon
 * says begins with the address already.
 */
static int print_refusal(const char *subject, unsigned status, const json_t *document)
{
    ClientRefusal refusal = client_refusal(document);

    if (text_behind(refusal.message, subject, " "))
        fprintf(stderr, "multus-eksctl: %s (HTTP %u", refusal.message, status);
    else
        fprintf(stderr, "multus-eksctl: %s: %s (HTTP %u", subject, refusal.message ?: "refused", status);
    if (refusal.ec2_code)
        fprintf(stderr, ", EC2 %s", refusal.ec2_code);
    if (refusal.ec2_request_id)
        fprintf(stderr, ", request %s", refusal.ec2_request_id);
    fputs(")\n", stderr);
    return exit_of(status, document);
}

/* One word for a shell, whatever is in it. */
static void print_quoted(const char *text)
{
    fputc('\'', stderr);
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stderr);
        else
            fputc(*text, stderr);
    fputc('\'', stderr);
}

/* "10.0.1.7 belongs to OWNER": in whose name it would be given back. */
static void advise_of_owner(const char *address, const json_t *document)
{
    ClientRefusal refusal = client_refusal(document);
    const char *owner = text_behind(refusal.message, address, " belongs to ");

    if (!owner || !streq_ptr(refusal.code, "owned_by_another"))
        return;
    if (protocol_owner_is_watch(owner)) {
        fputs("The daemon gives it back when no pod here has it any more.\n", stderr);
        return;
    }
    fputs("It is given back with --owner ", stderr);
    print_quoted(owner);
    fputc('\n', stderr);
}

/* The daemon goes on with what it was asked for, whether or not anybody waits for the answer. */
static int exit_of_failure(int r)
{
    if (r == -ETIMEDOUT || r == -ECONNRESET)
        fputs("It may be done all the same: 'multus-eksctl addresses' tells.\n", stderr);
    return r == -ETIMEDOUT ? CTL_EXIT_NOT_READY : CTL_EXIT_FAILED;
}

static int print_result(const char *address, const json_t *result)
{
    json_int_t status = json_integer_value(json_object_get(result, "status"));
    const char *interface = json_string_value(json_object_get(result, "interface"));
    const char *eni_id = json_string_value(json_object_get(result, "eni_id"));

    if (status != 200)
        return print_refusal(address, status > 0 && status < 1000 ? (unsigned)status : 500, result);
    printf("%s registered on %s (%s)\n", address, interface ?: "?", eni_id ?: "?");
    return CTL_EXIT_OK;
}

static const json_t *find_result(const json_t *document, const char *address)
{
    const json_t *result;
    size_t i;

    json_array_foreach(json_object_get(document, "results"), i, result)
    {
        const char *text = json_string_value(json_object_get(result, "address"));

        if (streq_ptr(text, address))
            return result;
    }
    return NULL;
}

static int run_register(Client *client, const Options *options)
{
    _cleanup_(freep) const char **addresses = calloc(options->n_addresses, sizeof(*addresses));
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    _cleanup_json_ json_t *body = NULL;
    int r, status = CTL_EXIT_OK;

    for (size_t i = 0; addresses && i < options->n_addresses; i++)
        addresses[i] = options->addresses[i];
    if (addresses)
        body = client_register_body(options->owner, options->interface, addresses, options->n_addresses);
    if (!body) {
        fputs("multus-eksctl: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }

    r = ask_call(client, "POST", "/v1/addresses", body, options->timeout, &reply);
    if (r < 0)
        return exit_of_failure(r);
    if (reply.status != 200)
        return print_refusal(options->socket_path, reply.status, reply.document);
    for (size_t i = 0; i < options->n_addresses; i++)
        status = worse(status, print_result(addresses[i], find_result(reply.document, addresses[i])));
    return status;
}

static int release(Client *client, const Options *options, const char *address)
{
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    _cleanup_buf_ Buf path = BUF_NULL;
    int r;

    if (client_release_path(&path, address, options->owner) < 0) {
        fputs("multus-eksctl: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }
    r = ask_call(client, "DELETE", path.data, NULL, options->timeout, &reply);
    if (r < 0)
        return exit_of_failure(r);
    if (reply.status != 200) {
        r = print_refusal(address, reply.status, reply.document);
        advise_of_owner(address, reply.document);
        return r;
    }
    printf("%s given back\n", address);
    return CTL_EXIT_OK;
}

static int run_unregister(Client *client, const Options *options)
{
    int status = CTL_EXIT_OK;

    for (size_t i = 0; i < options->n_addresses; i++)
        status = worse(status, release(client, options, options->addresses[i]));
    return status;
}

/* Canonical, so that the answer's can be compared with them. */
static int parse_addresses(int n, char **texts, Options *options)
{
    if (n == 0) {
        fprintf(stderr, "%s: which address?\n", options->command);
        return -EINVAL;
    }
    options->addresses = calloc((size_t)n, sizeof(*options->addresses));
    if (!options->addresses)
        return -ENOMEM;
    for (int i = 0; i < n; i++) {
        InAddr address;

        if (in_addr_parse(texts[i], &address) < 0) {
            fprintf(stderr, "%s: '%s' is not an IP address\n", options->command, texts[i]);
            return -EINVAL;
        }
        (void)in_addr_format(&address, options->addresses[options->n_addresses++]);
    }
    return 0;
}

/* What the daemon would refuse whatever the address. */
static int check_options(const Options *options)
{
    if (!protocol_owner_is_valid(options->owner)) {
        fprintf(stderr, "%s: --owner: not a name of 1 to %d bytes of UTF-8 without control characters\n",
                options->command, PROTOCOL_OWNER_MAX);
        return -EINVAL;
    }
    if (options->interface && !options->interface[0]) {
        fprintf(stderr, "%s: --interface: an empty name\n", options->command);
        return -EINVAL;
    }
    return 0;
}

/* Returns 0, 1 when the help was shown, -EINVAL after a message. */
static int parse_options(int argc, char **argv, bool is_register, Options *options)
{
    enum { OPTION_SOCKET = 256, OPTION_OWNER, OPTION_TIMEOUT, OPTION_INTERFACE };
    static const struct option long_options[] = {
        {"socket", required_argument, NULL, OPTION_SOCKET},
        {"owner", required_argument, NULL, OPTION_OWNER},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"help", no_argument, NULL, 'h'},
        {"interface", required_argument, NULL, OPTION_INTERFACE},
        {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0)
        switch (c) {
        case OPTION_SOCKET: options->socket_path = optarg; break;
        case OPTION_OWNER: options->owner = optarg; break;
        case OPTION_INTERFACE:
            if (!is_register) {
                fprintf(stderr, "%s: an address is on one interface only: no --interface\n", argv[0]);
                return -EINVAL;
            }
            options->interface = optarg;
            break;
        case OPTION_TIMEOUT:
            if (ctl_parse_timeout(argv[0], optarg, &options->timeout) < 0)
                return -EINVAL;
            break;
        case 'h': (is_register ? print_register_help : print_unregister_help)(); return 1;
        default: return -EINVAL;
        }
    return check_options(options);
}

static void options_done(Options *options)
{
    options->addresses = mfree(options->addresses);
}

static int run(int argc, char **argv, bool is_register)
{
    _cleanup_(options_done) Options options = {
        .command = argv[0],
        .socket_path = CLIENT_SOCKET,
        .owner = "multus-eksctl",
        .timeout = REGISTER_TIMEOUT_DEFAULT,
    };
    _cleanup_(client_freep) Client *client = NULL;
    int r;

    r = parse_options(argc, argv, is_register, &options);
    if (r > 0)
        return CTL_EXIT_OK;
    r = r < 0 ? r : parse_addresses(argc - optind, argv + optind, &options);
    if (r == -EINVAL)
        return ctl_try_help(argv[0]);
    if (r < 0 || client_new(&client, options.socket_path, "multus-eksctl/" VERSION) < 0) {
        fputs("multus-eksctl: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }
    return is_register ? run_register(client, &options) : run_unregister(client, &options);
}

int ctl_register(int argc, char **argv)
{
    return run(argc, argv, true);
}

int ctl_unregister(int argc, char **argv)
{
    return run(argc, argv, false);
}
