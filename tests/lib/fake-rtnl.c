/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A kernel of network devices in memory.
 *
 * It follows the real one where links depend on it: a request takes effect when it is made, its answer
 * and the events come later from the loop, in two queues of which either may be read first; names and
 * altnames share one space; a device that is up may not be renamed (as before Linux 6.x, which is what
 * makes the daemon set it down). What it cannot be asked to do on a real kernel, it can: refuse.
 */

#include "lib/fake-rtnl.h"
#include <errno.h>
#include <stdio.h>

#define N_DEVICES 32
#define N_QUEUED  256

typedef struct Queued {
    RtnlEventType type;
    RtnlLink link;
} Queued;

struct RtnlSlot {
    RtnlSlot *next;
    FakeRtnl *rtnl; /* NULL once answered */
    int result;
    RtnlHandler handler;
    void *userdata;
};

struct FakeRtnl {
    Rtnl base;
    sd_event_source *source_events;
    sd_event_source *source_answers;
    RtnlEventHandler handler;
    void *userdata;
    Queued queue[N_QUEUED];
    size_t n_queue;
    RtnlSlot *slots; /* in the order of the requests */
};

/* The kernel outlives the daemons that talk to it. */
static struct {
    RtnlLink devices[N_DEVICES];
    size_t n_devices;
    int last_ifindex;
    MacAddr away; /* of the device that is in another namespace */
    uint32_t max_mtu;
    char parent_bus[RTNL_PARENT_TEXT];
    char parent_device[RTNL_PARENT_TEXT];
    bool busy;
    int fail_next;
    FakeRtnlCounts counts;
    StrList objects; /* addresses, routes and rules, as ip(8) would show them */
    FakeRtnl *listener;
} kernel = {.busy = true, .max_mtu = 65535};

/* ------------------------------------------------------------------ devices and events */

static RtnlLink *device_by_ifindex(int ifindex)
{
    for (size_t i = 0; i < kernel.n_devices; i++)
        if (kernel.devices[i].ifindex == ifindex)
            return &kernel.devices[i];
    return NULL;
}

static RtnlLink *device_by_name(const char *name)
{
    for (size_t i = 0; i < kernel.n_devices; i++)
        if (streq(kernel.devices[i].name, name) || strlist_contains(&kernel.devices[i].altnames, name))
            return &kernel.devices[i];
    return NULL;
}

static void tell(RtnlEventType type, const RtnlLink *link)
{
    FakeRtnl *rtnl = kernel.listener;
    Queued *queued;

    if (!rtnl)
        return;
    assert(rtnl->n_queue < N_QUEUED);
    queued = &rtnl->queue[rtnl->n_queue++];
    *queued = (Queued){.type = type};
    if (link && rtnl_link_copy(link, &queued->link) < 0)
        abort();
    (void)sd_event_source_set_enabled(rtnl->source_events, SD_EVENT_ONESHOT);
}

/* As netdev_state_change(): nothing is said of a device that is down. */
static void tell_altnames(const RtnlLink *device)
{
    if (device->flags & IFF_UP)
        tell(RTNL_EVENT_LINK_NEW, device);
}

static int on_events(sd_event_source *source, void *userdata)
{
    FakeRtnl *rtnl = userdata;

    (void)source;
    while (rtnl->n_queue > 0) {
        Queued queued = rtnl->queue[0];
        const RtnlEvent event = {
            .type = queued.type,
            .link = queued.type == RTNL_EVENT_ENUMERATED ? NULL : &queued.link,
        };

        memmove(&rtnl->queue[0], &rtnl->queue[1], --rtnl->n_queue * sizeof(queued));
        rtnl->handler(&event, rtnl->userdata);
        rtnl_link_done(&queued.link);
    }
    return 0;
}

/* ------------------------------------------------------------------ requests */

static int on_answers(sd_event_source *source, void *userdata)
{
    FakeRtnl *rtnl = userdata;

    (void)source;
    while (rtnl->slots) {
        RtnlSlot *slot = rtnl->slots;

        rtnl->slots = slot->next;
        slot->rtnl = NULL;
        slot->handler(slot->result, slot->userdata);
    }
    return 0;
}

static int answer(Rtnl *base, int result, RtnlHandler handler, void *userdata, RtnlSlot **ret)
{
    FakeRtnl *rtnl = (FakeRtnl *)(void *)base;
    RtnlSlot *slot = calloc(1, sizeof(*slot)), **p = &rtnl->slots;

    if (!slot)
        return -ENOMEM;
    kernel.counts.n_requests++;
    *slot = (RtnlSlot){.rtnl = rtnl, .result = result, .handler = handler, .userdata = userdata};
    while (*p)
        p = &(*p)->next;
    *p = slot;
    (void)sd_event_source_set_enabled(rtnl->source_answers, SD_EVENT_ONESHOT);
    *ret = slot;
    return 0;
}

static void fake_slot_free(RtnlSlot *slot)
{
    if (slot->rtnl)
        for (RtnlSlot **p = &slot->rtnl->slots; *p; p = &(*p)->next)
            if (*p == slot) {
                *p = slot->next;
                break;
            }
    free(slot);
}

static int rename_device(RtnlLink *device, const char *name)
{
    if (streq(device->name, name))
        return 0;
    if (device_by_name(name))
        return -EEXIST;
    if (kernel.busy && device->flags & IFF_UP)
        return -EBUSY;
    (void)snprintf(device->name, sizeof(device->name), "%s", name);
    tell(RTNL_EVENT_LINK_NEW, device);
    return 0;
}

static int set_device(const RtnlLinkSet *set)
{
    RtnlLink *device = device_by_ifindex(set->ifindex);
    int r = 0;

    if (!device)
        return -ENODEV;
    if (set->flags & RTNL_LINK_SET_MTU) {
        if (device->max_mtu && set->mtu > device->max_mtu)
            return -EINVAL;
        device->mtu = set->mtu;
        tell(RTNL_EVENT_LINK_NEW, device);
    }
    if (set->flags & RTNL_LINK_SET_NAME)
        r = rename_device(device, set->name);
    if (r < 0)
        return r;
    if (set->flags & RTNL_LINK_SET_DOWN)
        device->flags &= ~(unsigned)IFF_UP;
    if (set->flags & RTNL_LINK_SET_UP)
        device->flags |= IFF_UP;
    if (set->flags & (RTNL_LINK_SET_UP | RTNL_LINK_SET_DOWN))
        tell(RTNL_EVENT_LINK_NEW, device);
    return 0;
}

static int take_failure(int result)
{
    const int error = kernel.fail_next;

    kernel.fail_next = 0;
    return error ? error : result;
}

static int fake_link_set(Rtnl *rtnl, const RtnlLinkSet *set, RtnlHandler handler, void *userdata,
                         RtnlSlot **ret)
{
    int r = set->flags & RTNL_LINK_SET_NAME ? 0 : take_failure(0);

    kernel.counts.n_link_sets++;
    if (set->flags & RTNL_LINK_SET_DOWN)
        kernel.counts.n_downs++;
    return answer(rtnl, r < 0 ? r : set_device(set), handler, userdata, ret);
}

static int fake_altname_add(Rtnl *rtnl, int ifindex, const char *name, RtnlHandler handler, void *userdata,
                            RtnlSlot **ret)
{
    RtnlLink *device = device_by_ifindex(ifindex);
    const RtnlLink *holder = device_by_name(name);
    int r = 0;

    if (!device)
        r = -ENODEV;
    else if (holder)
        r = holder == device ? RTNL_E_EXISTS : -EEXIST;
    else
        r = strlist_append(&device->altnames, name);
    if (r == 0)
        tell_altnames(device);
    return answer(rtnl, take_failure(r), handler, userdata, ret);
}

static int fake_altname_remove(Rtnl *rtnl, int ifindex, const char *name, RtnlHandler handler, void *userdata,
                               RtnlSlot **ret)
{
    RtnlLink *device = device_by_ifindex(ifindex);
    int r = -ENOENT;

    for (size_t i = 0; device && i < device->altnames.n; i++)
        if (streq(device->altnames.items[i], name)) {
            free(device->altnames.items[i]);
            device->altnames.items[i] = device->altnames.items[--device->altnames.n];
            tell_altnames(device);
            r = 0;
        }
    return answer(rtnl, take_failure(r), handler, userdata, ret);
}

static int add_object(const char *text)
{
    if (strlist_contains(&kernel.objects, text))
        return RTNL_E_EXISTS;
    return strlist_append(&kernel.objects, text);
}

static int fake_address_add(Rtnl *rtnl, const RtnlAddress *address, RtnlHandler handler, void *userdata,
                            RtnlSlot **ret)
{
    char prefix[IN_PREFIX_TEXT], text[256];

    kernel.counts.n_addresses++;
    (void)snprintf(text, sizeof(text), "address %s dev %i%s", in_prefix_format(&address->prefix, prefix),
                   address->ifindex, address->no_prefix_route ? " noprefixroute" : "");
    return answer(rtnl, take_failure(add_object(text)), handler, userdata, ret);
}

static int fake_route_add(Rtnl *rtnl, const RtnlRoute *route, RtnlHandler handler, void *userdata,
                          RtnlSlot **ret)
{
    const RtnlLink *device = device_by_ifindex(route->ifindex);
    const bool up = device && device->flags & IFF_UP;
    char destination[IN_PREFIX_TEXT], gateway[IN_ADDR_TEXT], source[IN_ADDR_TEXT], text[256];

    kernel.counts.n_routes++;
    (void)snprintf(text, sizeof(text), "route %s via %s src %s dev %i table %u",
                   in_prefix_format(&route->destination, destination),
                   in_addr_format(&route->gateway, gateway), in_addr_format(&route->prefsrc, source),
                   route->ifindex, route->table);
    return answer(rtnl, take_failure(up ? add_object(text) : -ENETDOWN), handler, userdata, ret);
}

static int fake_rule_add(Rtnl *rtnl, const RtnlRule *rule, RtnlHandler handler, void *userdata,
                         RtnlSlot **ret)
{
    char from[IN_PREFIX_TEXT], text[256];

    kernel.counts.n_rules++;
    (void)snprintf(text, sizeof(text), "rule %u: from %s oif %s lookup %u", rule->priority,
                   in_prefix_format(&rule->from, from), rule->oifname, rule->table);
    return answer(rtnl, take_failure(add_object(text)), handler, userdata, ret);
}

/* ------------------------------------------------------------------ lifecycle */

static void fake_free(Rtnl *base)
{
    FakeRtnl *rtnl = (FakeRtnl *)(void *)base;

    while (rtnl->slots) {
        rtnl->slots->rtnl = NULL;
        rtnl->slots = rtnl->slots->next;
    }
    for (size_t i = 0; i < rtnl->n_queue; i++)
        rtnl_link_done(&rtnl->queue[i].link);
    (void)sd_event_source_disable_unref(rtnl->source_events);
    (void)sd_event_source_disable_unref(rtnl->source_answers);
    kernel.listener = NULL;
    free(rtnl);
}

static void fake_refresh(Rtnl *rtnl)
{
    (void)rtnl;
    for (size_t i = 0; i < kernel.n_devices; i++)
        tell(RTNL_EVENT_LINK_NEW, &kernel.devices[i]);
}

static const RtnlOps fake_ops = {
    .link_set = fake_link_set,
    .altname_add = fake_altname_add,
    .altname_remove = fake_altname_remove,
    .address_add = fake_address_add,
    .route_add = fake_route_add,
    .rule_add = fake_rule_add,
    .refresh = fake_refresh,
    .slot_free = fake_slot_free,
    .free = fake_free,
};

int fake_rtnl_new(Rtnl **ret, sd_event *event, RtnlEventHandler handler, void *userdata)
{
    FakeRtnl *rtnl = calloc(1, sizeof(*rtnl));

    if (!rtnl)
        return -ENOMEM;
    assert(!kernel.listener);
    rtnl->base.ops = &fake_ops;
    rtnl->handler = handler;
    rtnl->userdata = userdata;
    if (sd_event_add_defer(event, &rtnl->source_events, on_events, rtnl) < 0 ||
        sd_event_add_defer(event, &rtnl->source_answers, on_answers, rtnl) < 0)
        abort();
    (void)sd_event_source_set_enabled(rtnl->source_answers, SD_EVENT_OFF);
    kernel.listener = rtnl;
    for (size_t i = 0; i < kernel.n_devices; i++)
        tell(RTNL_EVENT_LINK_NEW, &kernel.devices[i]);
    tell(RTNL_EVENT_ENUMERATED, NULL);
    *ret = &rtnl->base;
    return 0;
}

void fake_rtnl_reset(void)
{
    for (size_t i = 0; i < kernel.n_devices; i++)
        rtnl_link_done(&kernel.devices[i]);
    strlist_done(&kernel.objects);
    memset(&kernel, 0, sizeof(kernel));
    kernel.busy = true;
    kernel.max_mtu = 65535;
}

const StrList *fake_rtnl_objects(void)
{
    return &kernel.objects;
}

const FakeRtnlCounts *fake_rtnl_counts(void)
{
    return &kernel.counts;
}

void fake_rtnl_refuse_busy(bool refuse)
{
    kernel.busy = refuse;
}

void fake_rtnl_set_max_mtu(uint32_t max_mtu)
{
    kernel.max_mtu = max_mtu;
}

void fake_rtnl_set_parent(const char *bus, const char *device)
{
    (void)snprintf(kernel.parent_bus, sizeof(kernel.parent_bus), "%s", bus);
    (void)snprintf(kernel.parent_device, sizeof(kernel.parent_device), "%s", device);
}

void fake_rtnl_fail_next(int error)
{
    kernel.fail_next = error;
}

/* ------------------------------------------------------------------ the doings of others */

static int add_device(const MacAddr *mac, const char *name, bool stacked)
{
    RtnlLink *device = &kernel.devices[kernel.n_devices];

    if (device_by_name(name))
        return -EEXIST;
    assert(kernel.n_devices < N_DEVICES);
    kernel.n_devices++;
    *device = (RtnlLink){.ifindex = ++kernel.last_ifindex,
                         .mac = *mac,
                         .mtu = 1500,
                         .max_mtu = kernel.max_mtu,
                         .stacked = stacked};
    (void)snprintf(device->name, sizeof(device->name), "%s", name);
    memcpy(device->parent_bus, kernel.parent_bus, sizeof(device->parent_bus));
    memcpy(device->parent_device, kernel.parent_device, sizeof(device->parent_device));
    tell(RTNL_EVENT_LINK_NEW, device);
    return 0;
}

int fake_rtnl_plug(const MacAddr *mac, const char *name)
{
    char free_name[IFNAMSIZ];

    for (unsigned i = 0; !name; i++) {
        (void)snprintf(free_name, sizeof(free_name), "eth%u", i);
        if (!device_by_name(free_name))
            name = free_name;
    }
    return add_device(mac, name, false);
}

static int remove_device(const char *name, bool moved)
{
    RtnlLink *device = device_by_name(name);
    RtnlLink gone;

    if (!device)
        return -ENODEV;
    gone = *device;
    gone.moved = moved;
    *device = kernel.devices[--kernel.n_devices];
    tell(RTNL_EVENT_LINK_REMOVED, &gone);
    rtnl_link_done(&gone);
    return 0;
}

int fake_rtnl_unplug(const char *name)
{
    return remove_device(name, false);
}

int fake_rtnl_send_away(const char *name)
{
    const RtnlLink *device = device_by_name(name);

    if (device)
        kernel.away = device->mac;
    return remove_device(name, true);
}

int fake_rtnl_bring_back(const char *name)
{
    return add_device(&kernel.away, name, false);
}

int fake_rtnl_rename(const char *from, const char *to)
{
    RtnlLink *device = device_by_name(from);

    if (!device)
        return -ENODEV;
    device->flags &= ~(unsigned)IFF_UP;
    return rename_device(device, to);
}

int fake_rtnl_set_mac(const char *name, const MacAddr *mac)
{
    RtnlLink *device = device_by_name(name);

    if (!device)
        return -ENODEV;
    device->mac = *mac;
    tell(RTNL_EVENT_LINK_NEW, device);
    return 0;
}

int fake_rtnl_set_up(const char *name)
{
    const RtnlLink *device = device_by_name(name);

    return device ? set_device(&(RtnlLinkSet){.ifindex = device->ifindex, .flags = RTNL_LINK_SET_UP})
                  : -ENODEV;
}

int fake_rtnl_set_down(const char *name)
{
    const RtnlLink *device = device_by_name(name);

    return device ? set_device(&(RtnlLinkSet){.ifindex = device->ifindex, .flags = RTNL_LINK_SET_DOWN})
                  : -ENODEV;
}

int fake_rtnl_add_altname(const char *name, const char *altname)
{
    RtnlLink *device = device_by_name(name);

    if (!device)
        return -ENODEV;
    if (device_by_name(altname))
        return -EEXIST;
    if (strlist_append(&device->altnames, altname) < 0)
        abort();
    tell_altnames(device);
    return 0;
}

int fake_rtnl_add_macvlan(const char *lower, const char *name, const MacAddr *mac)
{
    return device_by_name(lower) ? add_device(mac, name, true) : -ENODEV;
}
