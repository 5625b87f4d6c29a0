/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eks-ip: a CNI plugin for the end of a chain. The plugins before it made a pod's interface and
 * gave it addresses; this one has the daemon register those with EC2, so that the VPC routes them to
 * this node, and gives them back when the pod goes. It makes and changes no interface.
 *
 * A runtime runs it once for each command: CNI_COMMAND and its like in the environment, the
 * configuration on standard input, the result or an error result on standard output.
 */

#include "cni/verbs.h"
#include "util/buf.h"
#include "util/utf8.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* One byte more than is allowed tells that there is more. Return: 0, -ENOMEM, or the errno of read(). */
static int read_stdin(Buf *ret)
{
    char piece[16384];
    ssize_t n;

    while (ret->n <= INPUT_MAX) {
        n = read(STDIN_FILENO, piece, sizeof(piece));
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (buf_append(ret, piece, (size_t)n) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int print_json(const json_t *document)
{
    if (json_dumpf(document, stdout, JSON_COMPACT) < 0 || putchar('\n') < 0 || fflush(stdout) != 0) {
        fputs("multus-eks-ip: cannot write the result\n", stderr);
        return -EIO;
    }
    return 0;
}

/* In the asker's version where that is one of ours. What it quotes need not be UTF-8. */
static void print_error(CniError *error, const char *version)
{
    json_t *document;

    utf8_clean(error->message);
    utf8_clean(error->details);
    document =
        json_pack("{s:s, s:i, s:s}", "cniVersion", version, "code", (int)error->code, "msg", error->message);
    if (document && error->details[0])
        (void)json_object_set_new(document, "details", json_string(error->details));
    if (!document || print_json(document) < 0)
        fprintf(stderr, "multus-eks-ip: %s\n", error->message);
    json_decref(document);
}

static int run(const Buf *text, CniError *ret_error)
{
    const InputEnvironment environment = {
        .command = getenv("CNI_COMMAND"),
        .container_id = getenv("CNI_CONTAINERID"),
        .ifname = getenv("CNI_IFNAME"),
        .netns = getenv("CNI_NETNS"),
    };
    _cleanup_input_ Input input = INPUT_NULL;
    _cleanup_json_ json_t *output = NULL;
    int r;

    r = input_parse(text->data, text->n, &environment, &input, ret_error);
    r = r < 0 ? r : verb_run(&input, &output, ret_error);
    if (r < 0)
        return r;
    return output ? print_json(output) : 0;
}

static void print_about(void)
{
    fputs("multus-eks-ip " VERSION
          ": a CNI plugin, run by container runtimes, not by people.\n"
          "CNI protocol versions supported: 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n"
          "\n"
          "After ipvlan, macvlan or another plugin in the list \"plugins\" of a network:\n"
          "  {\"type\": \"multus-eks-ip\", \"master\": \"eth1\", \"timeout\": 30, \"socket\": \"/run/...\"}\n"
          "master: where the addresses belong; default: the interface the pod's one lies on\n"
          "timeout: seconds to wait for the daemon (30)\n"
          "socket: the daemon's (/run/multus-eks/multus-eks.sock)\n",
          stderr);
}

int main(void)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    CniError error = {0};
    json_t *config;
    int r;

    if (!getenv("CNI_COMMAND")) {
        print_about();
        return EXIT_FAILURE;
    }

    /* A daemon that closes the connection is an error to report, not a reason to die. */
    (void)signal(SIGPIPE, SIG_IGN);

    r = read_stdin(&text);
    if (r < 0)
        r = cni_error(&error, CNI_CODE_IO, "cannot read the configuration: %s", strerror(-r));
    else
        r = run(&text, &error);
    if (r == 0)
        return EXIT_SUCCESS;

    /* The configuration may be what is wrong, so its version is looked for once more. */
    if (error.code) {
        config = json_loadb(text.data ? text.data : "", MIN(text.n, INPUT_MAX),
                            JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
        print_error(&error, input_version_of(config));
        json_decref(config);
    }
    return EXIT_FAILURE;
}
