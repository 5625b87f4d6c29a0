/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The number of failed boots in a row, which decides whether systemd is to try once more.
 *
 * systemd's own limit of starts would do for that, but it counts those of an operator as well: he who has
 * mended the cause, and who says "systemctl restart", would be refused for as long as the limit's interval
 * lasts; and one who tries out configurations would end with no daemon at all. So the unit's limit is for a
 * daemon that crashes, and what is tried in vain is counted here.
 */

#include "tries.h"
#include "util/fs.h"
#include "util/log.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tries_path(const char *runtime_dir, char ret[static PATH_MAX])
{
    return fs_path(ret, "%s/tries", runtime_dir);
}

unsigned tries_failed(const char *runtime_dir)
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_MAX], count[16];
    unsigned n = 0;
    int r;

    r = tries_path(runtime_dir, path);
    if (r == 0 && fs_read_file(path, sizeof(count), &text, NULL) == 0)
        n = (unsigned)strtoul(text, NULL, 10);
    n = n < TRIES_MAX ? n + 1 : TRIES_MAX;

    if (r == 0 && n == TRIES_MAX)
        r = fs_unlink(path);
    else if (r == 0) {
        (void)snprintf(count, sizeof(count), "%u\n", n);
        r = fs_write_file(path, count, strlen(count), 0644, FS_SYNC_NO);
    }
    if (r < 0)
        log_debug_errno(r, "%s/tries: %m", runtime_dir);
    return n;
}

bool tries_any(const char *runtime_dir)
{
    char path[PATH_MAX];

    return tries_path(runtime_dir, path) == 0 && access(path, F_OK) == 0;
}

void tries_forget(const char *runtime_dir)
{
    char path[PATH_MAX];
    int r = tries_path(runtime_dir, path);

    if (r == 0)
        r = fs_unlink(path);
    if (r < 0)
        log_debug_errno(r, "%s/tries: %m", runtime_dir);
}
