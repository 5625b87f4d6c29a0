/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Links against the fake kernel: the shared tests.
 */

#include "lib/fake-rtnl.h"
#include "lib/link-tests.h"

static const LinkTestBed fake = {
    .sysctl_root = "/nonexistent",
    .start = fake_rtnl_new,
    .plug = fake_rtnl_plug,
    .unplug = fake_rtnl_unplug,
    .send_away = fake_rtnl_send_away,
    .bring_back = fake_rtnl_bring_back,
    .rename = fake_rtnl_rename,
    .set_up = fake_rtnl_set_up,
    .add_altname = fake_rtnl_add_altname,
    .add_macvlan = fake_rtnl_add_macvlan,
};

int main(void)
{
    return link_tests_run("link on the fake", &fake);
}
