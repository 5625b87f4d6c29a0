/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Links against the kernel: the shared tests, in a namespace of their own.
 */

#include "lib/link-tests.h"
#include "lib/netns.h"
#include <stdio.h>
#include <string.h>

static int plug(const MacAddr *mac, const char *name)
{
    return netns_plug(mac, name);
}

static int start(Rtnl **ret, sd_event *event, RtnlEventHandler handler, void *userdata)
{
    return rtnl_new(ret, event, handler, userdata);
}

static const LinkTestBed kernel = {
    .sysctl_root = "/proc/sys",
    .routes = true,
    .start = start,
    .plug = plug,
    .unplug = netns_unplug,
    .send_away = netns_send_away,
    .bring_back = netns_bring_back,
    .rename = netns_rename,
    .set_up = netns_set_up,
    .add_altname = netns_add_altname,
    .add_macvlan = netns_add_macvlan,
};

int main(void)
{
    int r = netns_enter();

    if (r < 0) {
        printf("SKIPPED: test-link: no user and network namespace here: %s\n", strerror(-r));
        return 0;
    }
    return link_tests_run("link on the kernel", &kernel);
}
