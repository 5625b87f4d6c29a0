/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One Multus link: from the device's appearance to up.
 *
 *   waiting -> udev -> naming -> configuring -> up
 *                   -> bound (with a driver for DPDK)    once up: -> away (with a pod)
 *
 * The device is known by its MAC; everything is asked for by ifindex, so no name can be mistaken.
 *
 * Naming. The name that is wanted may be held by another device, often by another of our own links,
 * since the kernel gives eth0, eth1 … in the order of arrival. Each link follows two rules and no one
 * plans for all of them:
 *  - the wanted name is free: take it;
 *  - it is not, and the link's present name is what another of our links wants: make way, through a
 *    temporary name that neither the kernel nor udev ever gives.
 * Otherwise wait: every event of any device runs the waiting links again. Two that hold each other's name
 * thus resolve, and so does any longer ring. A foreign holder is waited for too, since udev may be about
 * to rename it.
 *
 * What is true is what the kernel's events say. An answer only ends a request; the link goes on when the
 * event shows the effect. Events that still tell of the time before a request cannot be mistaken for its
 * outcome that way.
 *
 * Configuring. All requests go out at once: the kernel works on them in order. A link on which nothing
 * differs is not touched at all. A link is set down only to be renamed (before 6.x the kernel refuses to
 * rename a device that is up).
 *
 * Binding. With a driver for DPDK there is nothing to name or configure: once udev is done, the device is
 * given to that driver and vanishes from the network, which ends nothing here.
 *
 * Away. The CNI plugins host-device and sriov move a link into a pod and back. The kernel tells that apart
 * from its end. While a daemon does not run nobody tells it; but a device that has been up in this boot, is
 * attached in EC2 and is not here can be nowhere else. Nothing is wrong with such a link, and it is set up
 * again when it comes back.
 *
 * When somebody renames a link later, it is renamed back, but only so often: who insists is told of in
 * the failure, instead of being fought for ever. Once the node is ready, nor at once: those plugins rename a
 * device that is up before they move it, and look for it by that name. A link that somebody sets down stays
 * down: that may be an operator's wish. While it is being set up it is none, and the link is set up once
 * more.
 */

#include "link/link-private.h"
#include "util/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const state_names[N_LINK_STATES] = {
    [LINK_STATE_WAITING] = "waiting", [LINK_STATE_UDEV] = "udev",
    [LINK_STATE_NAMING] = "naming",   [LINK_STATE_CONFIGURING] = "configuring",
    [LINK_STATE_UP] = "up",           [LINK_STATE_FAILED] = "failed",
    [LINK_STATE_BOUND] = "bound",     [LINK_STATE_AWAY] = "away",
};

#define TO(_state) (1U << LINK_STATE_##_state)

/* Which state may follow which. A device can vanish at any time. */
static const unsigned state_edges[N_LINK_STATES] _unused_ = {
    [LINK_STATE_WAITING] = TO(UDEV) | TO(BOUND) | TO(AWAY) | TO(FAILED),
    [LINK_STATE_UDEV] = TO(NAMING) | TO(BOUND) | TO(WAITING) | TO(AWAY) | TO(FAILED),
    [LINK_STATE_NAMING] = TO(CONFIGURING) | TO(WAITING) | TO(AWAY) | TO(FAILED),
    [LINK_STATE_CONFIGURING] = TO(UP) | TO(NAMING) | TO(WAITING) | TO(AWAY) | TO(FAILED),
    [LINK_STATE_UP] = TO(NAMING) | TO(WAITING) | TO(AWAY) | TO(FAILED),
    [LINK_STATE_AWAY] = TO(UDEV),
    /* Somebody has given the device back to the kernel. */
    [LINK_STATE_BOUND] = TO(UDEV),
    /* A device that comes after the timeout is taken all the same. */
    [LINK_STATE_FAILED] = TO(UDEV) | TO(WAITING),
};

static void link_go_on(Link *link);
static void link_on_set_down(Link *link);
static void link_on_disturbed(Link *link, const RtnlLink *device);

/* ------------------------------------------------------------------ state, events to the owner */

void link_set_state(Link *link, LinkState state)
{
    log_debug("link %s: %s -> %s", link->spec.ifname, state_names[link->state], state_names[state]);
    assert(state_edges[link->state] & (1U << state));
    link->state = state;
}

void link_emit(Link *link, LinkEventType type, int error, const char *text)
{
    const LinkEvent event = {
        .type = type,
        .link = link,
        .error = error,
        .text = text ? text : "",
        .changed = link->changed,
    };

    link->links->handler(&event, link->links->userdata);
}

static void link_cancel_requests(Link *link)
{
    while (link->requests) {
        LinkRequest *request = link->requests;

        link->requests = request->next;
        request->slot = rtnl_slot_free(link->links->rtnl, request->slot);
        free(request);
    }
    link->renaming_to[0] = 0;
    link->refused = false;
}

static bool link_is_armed(const Link *link)
{
    int enabled = SD_EVENT_OFF;

    return sd_event_source_get_enabled(link->timer, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

void link_disarm(Link *link)
{
    if (link->timer)
        (void)sd_event_source_set_enabled(link->timer, SD_EVENT_OFF);
}

void link_fail(Link *link, int error, const char *format, ...)
{
    _cleanup_(freep) char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);

    link_cancel_requests(link);
    link_disarm(link);
    link_set_state(link, LINK_STATE_FAILED);
    log_debug_errno(error, "link %s: %s", link->spec.ifname, text ? text : "failed");
    link_emit(link, LINK_EVENT_FAILED, error, text);
}

void link_warn(Link *link, const char *format, ...)
{
    _cleanup_(freep) char *text = NULL;
    char *joined = NULL;
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (r < 0) {
        text = NULL;
        return;
    }
    log_debug("link %s: %s", link->spec.ifname, text);
    if (!link->text) {
        link->text = TAKE_PTR(text);
    } else if (asprintf(&joined, "%s; %s", link->text, text) >= 0) {
        free(link->text);
        link->text = joined;
    }
}

/* ------------------------------------------------------------------ the clock */

static void link_on_timer(Link *link)
{
    const RtnlLink *holder, *device = links_device(link->links, link->ifindex);
    char mac[MAC_ADDR_TEXT], holder_mac[MAC_ADDR_TEXT];

    (void)mac_addr_format(&link->spec.mac, mac);
    switch (link->state) {
    case LINK_STATE_WAITING:
        link_fail(link, -ETIMEDOUT, "no device with MAC address %s appeared in time", mac);
        break;
    case LINK_STATE_UDEV:
        /* udev leaves a device alone for good when its own rename of it failed. */
        log_debug("link %s: udev does not finish with %s, going on without", link->spec.ifname, mac);
        link_go_on(link);
        break;
    case LINK_STATE_NAMING:
        if (device && streq(device->name, link->spec.ifname)) {
            link->settings_awaited = true; /* and did not come */
            link_configure(link, device);
            break;
        }
        holder = links_device_by_name(link->links, link->spec.ifname);
        if (holder)
            link_fail(link, -EEXIST,
                      "the name %s is held by a foreign device (%s, MAC address %s, ifindex %i): rename that "
                      "device or choose another ifname_prefix",
                      link->spec.ifname, holder->name, mac_addr_format(rtnl_link_mac(holder), holder_mac),
                      holder->ifindex);
        else
            link_fail(link, -EEXIST, "the kernel refuses the name %s", link->spec.ifname);
        break;
    case LINK_STATE_CONFIGURING: link_on_set_down(link); break;
    case LINK_STATE_UP:
        if (device && !streq(device->name, link->spec.ifname))
            link_on_disturbed(link, device);
        break;
    case LINK_STATE_BOUND:
    case LINK_STATE_AWAY:
    case LINK_STATE_FAILED: break;
    }
}

void link_arm(Link *link, usec_t at)
{
    int r = sd_event_source_set_time(link->timer, at);

    if (r >= 0)
        r = sd_event_source_set_enabled(link->timer, SD_EVENT_ONESHOT);
    if (r < 0)
        log_debug_errno(r, "link %s: cannot set the timer: %m", link->spec.ifname);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    Link *link = userdata;

    (void)source;
    (void)usec;
    if (link->state == LINK_STATE_WAITING && link->slow_at < link->deadline) {
        link->slow_at = USEC_INFINITY;
        link_arm(link, link->deadline);
        link_emit(link, LINK_EVENT_SLOW, 0, NULL);
        return 0;
    }
    link_on_timer(link);
    return 0;
}

/* ------------------------------------------------------------------ requests */

LinkRequest *link_request_new(Link *link, const char *what)
{
    LinkRequest *request;

    /* One that failed at once has ended the link already. */
    if (link->state == LINK_STATE_FAILED)
        return NULL;
    request = calloc(1, sizeof(*request));
    if (!request) {
        link_fail(link, -ENOMEM, "out of memory");
        return NULL;
    }
    request->link = link;
    request->what = what;
    request->next = link->requests;
    link->requests = request;
    return request;
}

static void link_request_end(LinkRequest *request)
{
    Link *link = request->link;

    for (LinkRequest **p = &link->requests; *p; p = &(*p)->next)
        if (*p == request) {
            *p = request->next;
            break;
        }
    request->slot = rtnl_slot_free(link->links->rtnl, request->slot);
    free(request);
}

void link_request_started(LinkRequest *request, int r)
{
    if (r < 0)
        link_on_answer(r, request);
}

/* ------------------------------------------------------------------ naming */

static void link_rename(Link *link, const RtnlLink *device, const char *name)
{
    RtnlLinkSet set = {.ifindex = link->ifindex, .flags = RTNL_LINK_SET_DOWN};

    log_debug("link %s: renaming %s to %s", link->spec.ifname, device->name, name);
    if (device->flags & IFF_UP)
        link_set_device(link, &set, "set it down", false);
    if (link->state != LINK_STATE_NAMING)
        return;
    link->asked_at = link->links->n_events;
    link->refused = false;
    set.flags = RTNL_LINK_SET_NAME;
    (void)snprintf(set.name, sizeof(set.name), "%s", name);
    (void)snprintf(link->renaming_to, sizeof(link->renaming_to), "%s", name);
    link_set_device(link, &set, "rename it", true);
}

/* The wanted name is an altname of ours: udev leaves a device's former name behind as such. */
static void link_drop_altname(Link *link, const RtnlLink *holder)
{
    LinkRequest *request = link_request_new(link, "remove the alternative name");
    Rtnl *rtnl = link->links->rtnl;

    if (!request)
        return;
    request->altname_ifindex = holder->ifindex;
    link->changed = true;
    link_request_started(request, rtnl->ops->altname_remove(rtnl, holder->ifindex, link->spec.ifname,
                                                            link_on_answer, request, &request->slot));
}

static void link_try_name(Link *link)
{
    Links *links = link->links;
    const RtnlLink *device = links_device(links, link->ifindex);
    const char *wanted = link->spec.ifname;
    const RtnlLink *holder;
    const Link *other;
    char temporary[IFNAMSIZ];

    if (link->requests || link->renaming_to[0] || !device || !links->rtnl)
        return;
    if (streq(device->name, wanted)) {
        link_configure(link, device);
        return;
    }
    link->settings_awaited = false;
    /* The kernel knows of a holder that no event has told of yet: wait for that event. */
    if (link->refused && link->asked_at == links->n_events)
        return;

    holder = links_device_by_name(links, wanted);
    other = links_find_by_ifname(links, device->name);
    if (!holder) {
        link_rename(link, device, wanted);
    } else if (!streq(holder->name, wanted) && links_find_by_ifindex(links, holder->ifindex)) {
        link_drop_altname(link, holder);
    } else if (other && other != link) {
        (void)snprintf(temporary, sizeof(temporary), "multus-t%i", link->ifindex);
        link_rename(link, device, temporary);
    } else {
        log_debug("link %s: the name is held by ifindex %i (%s)", wanted, holder->ifindex, holder->name);
    }
}

static void link_go_naming(Link *link)
{
    usec_t now = 0, due = link->deadline == USEC_INFINITY ? 0 : link->deadline;

    link_set_state(link, LINK_STATE_NAMING);
    link->refreshed = link->settings_awaited = false;
    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    /* The time for the device's appearance may be over, or nearly so, or not have begun: finding a free
     * name has its own. */
    link_arm(link, MAX(due, time_add(now, MIN(link->spec.timeout, link->links->name_patience_usec))));
    links_run_again(link->links);
}

/* ------------------------------------------------------------------ a driver for DPDK */

static void link_on_bound(Link *link, int r, const Buf *why)
{
    if (r < 0) {
        link->unbindable = true;
        link_fail(link, r, "%s", why->data ?: strerror(-r));
        return;
    }
    link_disarm(link);
    link_set_state(link, LINK_STATE_BOUND);
    link_emit(link, LINK_EVENT_UP, 0, NULL);
    link->changed = false;
}

static void link_bind(Link *link)
{
    const RtnlLink *device = links_device(link->links, link->ifindex);
    _cleanup_buf_ Buf why = BUF_NULL;
    int r;

    assert(device);
    r = driver_bind(&link->links->drivers, device, &link->spec.mac, link->spec.driver, link->pci_address,
                    &why);
    link->changed = true;
    /* The event that says so is on its way: the kernel tells of the interface's end first. */
    if (r != DRIVER_E_NONE)
        link_on_bound(link, r, &why);
}

/* An earlier run may have bound the device: then none will appear. */
static void link_resume(Link *link)
{
    _cleanup_buf_ Buf why = BUF_NULL;
    int r;

    if (link->resumed || !link->links->drivers.sysfs)
        return;
    link->resumed = true;
    r = driver_resume(&link->links->drivers, &link->spec.mac, link->spec.driver, link->pci_address,
                      &link->changed, &why);
    if (r != DRIVER_E_NONE)
        link_on_bound(link, r, &why);
}

/* udev is done with the device, or never will be. */
static void link_go_on(Link *link)
{
    if (link->spec.driver[0])
        link_bind(link);
    else
        link_go_naming(link);
}

/* ------------------------------------------------------------------ disturbances */

static bool link_is_fought_for(Link *link)
{
    usec_t now = 0;

    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    if (time_add(link->disturbed_at, LINK_DISTURBANCES_USEC) < now)
        link->n_disturbances = 0;
    link->disturbed_at = now;
    return ++link->n_disturbances > LINK_DISTURBANCES_MAX;
}

/* It should be up by now. */
static void link_on_set_down(Link *link)
{
    usec_t now = 0;

    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    if (link->requests) { /* the kernel is busy */
        link_arm(link, time_add(now, link->links->name_patience_usec));
        return;
    }
    if (link_is_fought_for(link)) {
        link_fail(link, -EBUSY, "something keeps setting it down while it is set up");
        return;
    }
    link_warn(link, "something had set it down while it was set up; set up again");
    link_go_naming(link);
}

/* Somebody else has renamed the link. */
static void link_on_disturbed(Link *link, const RtnlLink *device)
{
    if (link_is_fought_for(link)) {
        link_fail(link, -EBUSY, "something keeps renaming it, the last time to %s", device->name);
        return;
    }
    link_warn(link, "something had renamed it to %s; renamed back", device->name);
    link_cancel_requests(link);
    link_go_naming(link);
}

/* A plugin is given the time to move what it has renamed. */
static void link_on_maybe_renamed(Link *link, const RtnlLink *device)
{
    usec_t now = 0;

    if (streq(device->name, link->spec.ifname)) {
        link_disarm(link);
        return;
    }
    if (link->links->rename_grace_usec == 0) {
        link_on_disturbed(link, device);
        return;
    }
    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    if (!link_is_armed(link))
        link_arm(link, time_add(now, link->links->rename_grace_usec));
}

/* ------------------------------------------------------------------ events that come in */

static bool link_udev_is_done(const Link *link)
{
    /* -ENODEV: udev renames it at this moment, and tells when it is done; or it is gone, which the kernel
     * will tell */
    return !link->links->udev || udev_is_initialized(link->links->udev, link->ifindex) > 0;
}

static void link_on_appeared(Link *link, const RtnlLink *device)
{
    usec_t now = 0;

    link->ifindex = device->ifindex;
    link->changed = false;
    link->n_disturbances = 0;
    link->been_up = link->been_up || link->spec.was_up;
    link->spec.was_up = false; /* from now on its end is seen */
    link_set_state(link, LINK_STATE_UDEV);
    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    link_arm(link, time_add(now, link->links->udev_patience_usec));
    link_emit(link, LINK_EVENT_SEEN, 0, NULL);
    link_on_udev(link);
}

void link_on_device(Link *link, const RtnlLink *device)
{
    if (link->renaming_to[0] && streq(link->renaming_to, device->name))
        link->renaming_to[0] = 0;

    switch (link->state) {
    case LINK_STATE_WAITING:
    case LINK_STATE_AWAY: link_on_appeared(link, device); break;
    case LINK_STATE_FAILED:
        if (link->ifindex == 0 && !link->unbindable)
            link_on_appeared(link, device);
        break;
    case LINK_STATE_BOUND:
        /* Until its end is told, events are still those of the device that was bound. */
        if (link->ifindex == 0)
            link_on_appeared(link, device);
        break;
    case LINK_STATE_UDEV: break;
    case LINK_STATE_NAMING: break; /* the events of any device run it again */
    case LINK_STATE_CONFIGURING:
        if (!streq(device->name, link->spec.ifname))
            link_on_disturbed(link, device);
        else
            link_check_configured(link);
        break;
    case LINK_STATE_UP: link_on_maybe_renamed(link, device); break;
    }
}

static void link_go_away(Link *link)
{
    link_set_state(link, LINK_STATE_AWAY);
    link_emit(link, LINK_EVENT_AWAY, 0, NULL);
}

void link_on_expected(Link *link)
{
    usec_t now = 0;

    (void)sd_event_now(link->links->event, CLOCK_MONOTONIC, &now);
    link->slow_at = time_add(now, link->links->slow_usec);
    link->deadline = time_add(now, link->spec.timeout);
    switch (link->state) {
    case LINK_STATE_WAITING:
        link_arm(link, MIN(link->slow_at, link->deadline));
        if (link->spec.was_up)
            links_run_again(link->links);
        break;
    case LINK_STATE_UDEV:
    case LINK_STATE_NAMING:
    case LINK_STATE_CONFIGURING:
    case LINK_STATE_UP:
    case LINK_STATE_BOUND:
    case LINK_STATE_AWAY:
    case LINK_STATE_FAILED: break;
    }
}

void link_on_removed(Link *link, bool moved)
{
    link_cancel_requests(link);
    link_disarm(link);
    link->slow_at = link->deadline = USEC_INFINITY;
    link->ifindex = 0;
    link->text = mfree(link->text);
    /* Taken from the kernel's driver, and given back to it as another device. */
    if (link->unbindable)
        return;
    if (moved && link->been_up && link->state != LINK_STATE_FAILED && link->state != LINK_STATE_BOUND) {
        link_go_away(link);
        return;
    }
    switch (link->state) {
    case LINK_STATE_WAITING:
    case LINK_STATE_AWAY:
    case LINK_STATE_BOUND: break;
    case LINK_STATE_UDEV:
    case LINK_STATE_NAMING:
    case LINK_STATE_CONFIGURING:
    case LINK_STATE_UP:
    case LINK_STATE_FAILED:
        link_set_state(link, LINK_STATE_WAITING);
        link_emit(link, LINK_EVENT_GONE, 0, NULL);
        break;
    }
}

void link_on_udev(Link *link)
{
    switch (link->state) {
    case LINK_STATE_UDEV:
        if (link_udev_is_done(link))
            link_go_on(link);
        else
            log_debug("link %s: udev has not finished with ifindex %i", link->spec.ifname, link->ifindex);
        break;
    case LINK_STATE_WAITING:
    case LINK_STATE_NAMING:
    case LINK_STATE_CONFIGURING:
    case LINK_STATE_UP:
    case LINK_STATE_BOUND:
    case LINK_STATE_AWAY:
    case LINK_STATE_FAILED: break;
    }
}

/* No device yet: bound by an earlier run, or in a pod, if it has been up and is not among all that is there.
 */
static void link_look(Link *link)
{
    link_resume(link);
    if (link->state != LINK_STATE_WAITING || !link->spec.was_up || link->deadline == USEC_INFINITY ||
        !link->links->enumerated || links_device_of(link->links, link))
        return;
    link_disarm(link);
    link_go_away(link);
}

void link_on_again(Link *link)
{
    switch (link->state) {
    case LINK_STATE_NAMING: link_try_name(link); break;
    case LINK_STATE_WAITING: link_look(link); break;
    case LINK_STATE_UDEV:
    case LINK_STATE_CONFIGURING:
    case LINK_STATE_UP:
    case LINK_STATE_BOUND:
    case LINK_STATE_AWAY:
    case LINK_STATE_FAILED: break;
    }
}

/*
 * The kernel refused a name: somebody was faster, or the device was set up meanwhile. If no device is
 * known to have the name, it is an altname that somebody gave to a device that is down.
 */
static void link_on_name_refused(Link *link)
{
    if (!link->refreshed && !links_device_by_name(link->links, link->renaming_to)) {
        link->refreshed = true;
        link->links->rtnl->ops->refresh(link->links->rtnl);
    }
    link->renaming_to[0] = 0;
    link->refused = true;
    links_run_again(link->links);
}

void link_on_answer(int result, void *userdata)
{
    LinkRequest *request = userdata;
    Link *link = request->link;
    const LinkRequest done = *request;

    link_request_end(request);
    /* The device is gone, and the event that says so is on its way. */
    if (result == -ENODEV)
        return;
    if (result < 0 && done.rename && (result == -EEXIST || result == -EBUSY)) {
        link_on_name_refused(link);
        return;
    }
    if (result < 0 && done.optional) {
        link_warn(link, "cannot %s: %s", done.what, strerror(-result));
    } else if (result < 0) {
        link_fail(link, result, "cannot %s: %s", done.what, strerror(-result));
        return;
    }
    link->changed = link->changed || result == 0;
    if (result >= 0 && done.altname_ifindex)
        links_note_altname(link->links, done.altname_ifindex,
                           done.altname_added ? done.altname_added : link->spec.ifname, done.altname_added);

    switch (link->state) {
    case LINK_STATE_NAMING: links_run_again(link->links); break;
    case LINK_STATE_CONFIGURING: link_check_configured(link); break;
    case LINK_STATE_WAITING:
    case LINK_STATE_UDEV:
    case LINK_STATE_UP:
    case LINK_STATE_BOUND:
    case LINK_STATE_AWAY:
    case LINK_STATE_FAILED: break;
    }
}

/* ------------------------------------------------------------------ lifecycle */

DEFINE_CLEANUP(Link, link_free)

int link_new(Links *links, const LinkSpec *spec, Link **ret)
{
    _cleanup_(link_freep) Link *link = calloc(1, sizeof(*link));
    int r;

    if (!link)
        return -ENOMEM;
    link->links = links;
    r = link_spec_copy(spec, &link->spec);
    if (r < 0)
        return r;
    link->slow_at = USEC_INFINITY;
    link->deadline = USEC_INFINITY;
    r = sd_event_add_time(links->event, &link->timer, CLOCK_MONOTONIC, USEC_INFINITY, 1, on_timer, link);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(link->timer, "link");
    link_disarm(link);

    *ret = TAKE_PTR(link);
    return 0;
}

Link *link_free(Link *link)
{
    if (!link)
        return NULL;
    link_cancel_requests(link);
    (void)sd_event_source_disable_unref(link->timer);
    link_spec_done(&link->spec);
    free(link->text);
    free(link);
    return NULL;
}

bool link_is_expected(const Link *link)
{
    return link->state == LINK_STATE_WAITING && link->deadline != USEC_INFINITY;
}

const char *link_state_to_string(LinkState state)
{
    return state_names[state];
}

const char *link_state_describe(LinkState state)
{
    static const char *const texts[N_LINK_STATES] = {
        [LINK_STATE_WAITING] = "waiting for its device",
        [LINK_STATE_UDEV] = "waiting for udev",
    };

    return texts[state] ?: state_names[state];
}
