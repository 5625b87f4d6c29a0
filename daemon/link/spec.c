/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is asked of a link: plain data, of which each link has a copy of its own.
 */

#include "link/link-private.h"

void link_spec_done(LinkSpec *spec)
{
    strlist_done(&spec->altnames);
    *spec = (LinkSpec){0};
}

int link_spec_copy(const LinkSpec *spec, LinkSpec *ret)
{
    LinkSpec copy = *spec;
    int r;

    copy.altnames = STRLIST_NULL;
    r = strlist_copy(&spec->altnames, &copy.altnames);
    if (r < 0)
        return r;
    *ret = copy;
    return 0;
}
