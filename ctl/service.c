/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What systemd says of multus-eksd.service. A unit with a job is about to be started, or waits for what it
 * is ordered after: that is a boot under way, and its socket can be asked.
 */

#include "service.h"
#include "run.h"
#include <stdlib.h>
#include <string.h>

#define ASK_TIME (10 * USEC_PER_SEC)

/* The value of a property, without its end, among lines of NAME=VALUE; "" without one. */
static const char *value_of(const Buf *output, const char *name)
{
    const size_t n = strlen(name);

    for (const char *line = output->data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == '=')
            return line + n + 1;
    }
    return "";
}

static bool value_is(const char *value, const char *word)
{
    return strncmp(value, word, strlen(word)) == 0 && value[strlen(word)] == '\n';
}

bool service_is_down(const Root *root, const char **ret_state)
{
    static const char *const argv[] = {
        "systemctl",           "show", "--property=LoadState", "--property=ActiveState", "--property=Job",
        "multus-eksd.service", NULL};
    static const char *const states[] = {"failed", "inactive"};
    _cleanup_buf_ Buf output = BUF_NULL;
    int status = 0;

    if (!root_is_host(root) || !root_exists(root, "/run/systemd/system") ||
        run_program(root, argv, ASK_TIME, &output, &status) < 0 || status != 0)
        return false;
    if (!value_is(value_of(&output, "LoadState"), "loaded") ||
        strtoul(value_of(&output, "Job"), NULL, 10) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (value_is(value_of(&output, "ActiveState"), states[i])) {
            *ret_state = states[i];
            return true;
        }
    return false;
}
