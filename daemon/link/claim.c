/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Claims: files that tell udev, before a device appears, whose it will be.
 *
 * The rule that reads them is static (units/85-multus-eks.rules); only the file is new, so nothing has
 * to be reloaded: udevd looks for changed rules and .link files every three seconds at most, and a
 * device may come faster than that. The name is that of the MAC as sysfs spells it.
 */

#include "link/links.h"
#include "util/fs.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>

static int claim_path(const char *claims_dir, const MacAddr *mac, char path[static PATH_MAX])
{
    char text[MAC_ADDR_TEXT];
    int n = snprintf(path, PATH_MAX, "%s/%s", claims_dir, mac_addr_format(mac, text));

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int links_claim(const char *claims_dir, const MacAddr *mac, const char *name)
{
    char path[PATH_MAX], text[64];
    int n, r;

    if (!*name || strlen(name) >= IFNAMSIZ)
        return -EINVAL;
    n = snprintf(text, sizeof(text), "MULTUS_EKS=1\nMULTUS_EKS_NAME=%s\n", name);
    r = claim_path(claims_dir, mac, path);
    if (r >= 0)
        r = fs_mkdir_p(claims_dir, 0755);
    if (r < 0)
        return r;
    return fs_write_file(path, text, (size_t)n, 0644, FS_SYNC_NO);
}

int links_unclaim(const char *claims_dir, const MacAddr *mac)
{
    char path[PATH_MAX];
    int r = claim_path(claims_dir, mac, path);

    return r < 0 ? r : fs_unlink(path);
}
