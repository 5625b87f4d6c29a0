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
#include <stdio.h>

#define CLAIM_TEXT 80 /* two lines of 16 and a name, and NUL, with room */

static int claim_path(const char *claims_dir, const MacAddr *mac, char path[static PATH_MAX])
{
    char text[MAC_ADDR_TEXT];

    return fs_path(path, "%s/%s", claims_dir, mac_addr_format(mac, text));
}

static int format_claim(const char *name, bool up, char text[static CLAIM_TEXT])
{
    return snprintf(text, CLAIM_TEXT, "MULTUS_EKS=1\nMULTUS_EKS_NAME=%s\n%s", name,
                    up ? "MULTUS_EKS_UP=1\n" : "");
}

int links_claim(const char *claims_dir, const MacAddr *mac, const char *name, bool up)
{
    char path[PATH_MAX], text[CLAIM_TEXT];
    int n, r;

    if (!*name || strlen(name) >= IFNAMSIZ)
        return -EINVAL;
    n = format_claim(name, up, text);
    r = claim_path(claims_dir, mac, path);
    if (r >= 0)
        r = fs_mkdir_p(claims_dir, 0755);
    if (r < 0)
        return r;
    return fs_write_file(path, text, (size_t)n, 0644, FS_SYNC_NO);
}

bool links_claimed_up(const char *claims_dir, const MacAddr *mac, const char *name)
{
    _cleanup_(freep) char *present = NULL;
    char path[PATH_MAX], text[CLAIM_TEXT];

    (void)format_claim(name, true, text);
    return claim_path(claims_dir, mac, path) == 0 && fs_read_file(path, CLAIM_TEXT, &present, NULL) == 0 &&
           streq(present, text);
}

int links_unclaim(const char *claims_dir, const MacAddr *mac)
{
    char path[PATH_MAX];
    int r = claim_path(claims_dir, mac, path);

    return r < 0 ? r : fs_unlink(path);
}
