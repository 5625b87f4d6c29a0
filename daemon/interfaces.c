/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the cloud's side and the kernel's side of an interface meet: by its MAC address.
 *
 * EC2 tells the MAC when the interface is created, so the host claims it and listens for it before
 * Attach goes out: however fast the device comes, it is expected. The clocks for its arrival start
 * when EC2 has accepted the attachment. A device that does not come, or goes again before the boot is
 * over, is looked for in EC2: attached anew when it is not attached, given up when it is.
 *
 * Every event of either side is logged here, with both sides' names in its fields, and ends in
 * manager_check_ready().
 */

#include "handover.h"
#include "manager-private.h"
#include "nodeadm.h"
#include "serve.h"
#include "state/store.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* The VPC's router answers to this address in every subnet (VPC User Guide, "Subnet routing"). */
#define IPV6_ROUTER "fe80:ec2::1"

_printf_(5, 6) static void interface_log(const Interface *interface, int level, int error,
                                         const char *message_id, const char *format, ...)
{
    const Ec2NetworkInterface *eni = interface->eni ? eni_record(interface->eni) : NULL;
    char mac[MAC_ADDR_TEXT] = "", text[LOG_TEXT_MAX];
    LogField fields[5 + N_CALL_FIELDS] = {
        {"NETWORK", interface->desired->network},
        {"INTERFACE", interface->desired->ifname},
        {"SUBNET_ID", interface->desired->subnet_id},
        {"ENI_ID", eni ? eni->network_interface_id : NULL},
        {"MAC_ADDRESS", eni ? mac_addr_format(&eni->mac, mac) : NULL},
    };
    va_list ap;

    if (level > log_get_max_level())
        return;
    if (interface->eni)
        call_fields_put(eni_failed_call(interface->eni), &fields[5]);
    errno = abs(error);
    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    log_full(level, error, message_id, fields, ARRAY_SIZE(fields), "%s", text);
}

int interfaces_new(Manager *manager)
{
    manager->interfaces = calloc(manager->plan->n_enis + 1, sizeof(*manager->interfaces));
    if (!manager->interfaces)
        return -ENOMEM;
    manager->n_interfaces = manager->plan->n_enis;

    for (size_t i = 0; i < manager->n_interfaces; i++)
        manager->interfaces[i] = (Interface){
            .manager = manager,
            .desired = manager->plan->enis[i].desired,
            .eni = reconcile_eni(manager->reconcile, i),
        };
    return 0;
}

void interfaces_done(Manager *manager)
{
    for (size_t i = 0; i < manager->n_interfaces; i++)
        free(manager->interfaces[i].error);
    manager->interfaces = mfree(manager->interfaces);
    manager->n_interfaces = 0;
}

bool interface_has_failed(const Interface *interface)
{
    return interface->eni && eni_state(interface->eni) == ENI_STATE_FAILED;
}

bool interface_is_settled(const Interface *interface, const char **ret_waiting)
{
    if (interface_has_failed(interface))
        return true;

    if (eni_state(interface->eni) == ENI_STATE_NEW) {
        *ret_waiting = "waiting for unwanted interfaces to be detached";
        return false;
    }
    if (eni_state(interface->eni) != ENI_STATE_READY) {
        *ret_waiting = eni_state_to_string(eni_state(interface->eni));
        return false;
    }
    if (!interface->link || !link_is_ready(interface->link)) {
        *ret_waiting =
            link_state_describe(interface->link ? link_state(interface->link) : LINK_STATE_WAITING);
        return false;
    }
    return true;
}

/* One that failed is taken away again, but for what was attached before this run. */
static bool interface_is_attached(const Interface *interface)
{
    const Ec2NetworkInterface *eni = interface->eni ? eni_record(interface->eni) : NULL;

    if (!eni)
        return false;
    if (interface_has_failed(interface))
        return eni_is_adopted(interface->eni) && eni->attachment.attachment_id;
    return eni_state(interface->eni) == ENI_STATE_READY || eni_state(interface->eni) == ENI_STATE_MODIFYING;
}

unsigned interfaces_attached(const Manager *manager, unsigned network_card)
{
    unsigned n = 0;

    for (size_t i = 0; i < manager->n_interfaces; i++)
        n += manager->interfaces[i].desired->network_card == network_card &&
             interface_is_attached(&manager->interfaces[i]);
    return n;
}

/* ------------------------------------------------------------ the kernel's side is told what comes */

static int spec_add_address(LinkSpec *spec, const InAddr *address, unsigned length, const InAddr *gateway)
{
    spec->addresses[spec->n_addresses++] = (LinkAddress){
        .prefix = {.address = *address, .length = length},
        .gateway = *gateway,
    };
    return 0;
}

/*
 * The interface's own address, or none. EC2 does not say which it is, nor that it shows it first, and those
 * of pods must not come on the host. So it is what the registrar has noted, or the first that is not
 * registered for a pod; without the file, the first.
 */
static int find_own_ipv6(const Manager *manager, const Ec2NetworkInterface *eni, InAddr *ret)
{
    _cleanup_(state_freep) State *state = NULL;
    _cleanup_(freep) char *path = NULL;
    const InAddr *noted;
    int r;

    *ret = IN_ADDR_NULL;
    if (eni->n_ipv6_addresses == 0)
        return 0;
    if (asprintf(&path, "%s/addresses.json", manager->options.state_dir) < 0) {
        path = NULL; /* undefined after a failure */
        return -ENOMEM;
    }
    r = store_load(path, manager->metadata->instance_id, &state);
    if (r == -ENOMEM)
        return r;

    noted = state ? state_find_own(state, eni->network_interface_id) : NULL;
    for (size_t i = 0; i < eni->n_ipv6_addresses; i++) {
        const InAddr *address = &eni->ipv6_addresses[i];
        bool is_noted = noted && in_addr_equal(address, noted);

        if (is_noted || (!in_addr_is_set(ret) && !(state && state_find(state, address))))
            *ret = *address;
    }
    return 0;
}

static int spec_set_addresses(LinkSpec *spec, const Manager *manager, const DesiredEni *desired,
                              const Ec2NetworkInterface *eni)
{
    InAddr first = in_prefix_first(&desired->cidr_block), gateway, own;
    int r;

    if (!desired->host_address)
        return 0;

    /* The router of an IPv4 subnet is its base address plus one. */
    r = in_addr_add(&first, 1, &gateway);
    if (r < 0)
        return r;
    if (eni->n_private_ips > 0) {
        r = spec_add_address(spec, &eni->private_ips[0].address, desired->cidr_block.length, &gateway);
        if (r < 0)
            return r;
    }
    if (!desired->ipv6)
        return 0;
    r = find_own_ipv6(manager, eni, &own);
    if (r < 0 || !in_addr_is_set(&own))
        return r;
    r = in_addr_parse(IPV6_ROUTER, &gateway);
    return r < 0 ? r : spec_add_address(spec, &own, desired->ipv6_cidr_block.length, &gateway);
}

/* EC2 has shown it attached, and in this boot it has been up: it is here, or with a pod. */
static bool interface_was_up(const Interface *interface)
{
    const Ec2NetworkInterface *eni = eni_record(interface->eni);

    return eni_is_adopted(interface->eni) && eni->attachment.attachment_id &&
           links_claimed_up(interface->manager->claims_dirs[CLAIMS_RUNTIME], &eni->mac,
                            interface->desired->ifname);
}

static int interface_make_spec(Interface *interface, const Ec2NetworkInterface *eni, LinkSpec *ret)
{
    const DesiredEni *desired = interface->desired;
    LinkSpec spec = {
        .mac = eni->mac,
        .mtu = desired->mtu,
        .timeout = interface->manager->config->attach_timeout,
        .was_up = interface_was_up(interface),
        .table = LINK_TABLE_BASE + desired->position,
        .priority = LINK_PRIORITY_BASE + desired->position,
        .userdata = interface,
    };
    int r;

    (void)snprintf(spec.ifname, sizeof(spec.ifname), "%s", desired->ifname);
    if (!streq(desired->driver, "kernel"))
        (void)snprintf(spec.driver, sizeof(spec.driver), "%s", desired->driver);
    r = strlist_append(&spec.altnames, eni->network_interface_id);
    if (r == 0 && !streq(desired->network, desired->ifname))
        r = strlist_append(&spec.altnames, desired->network);
    if (r == 0)
        r = spec_set_addresses(&spec, interface->manager, desired, eni);
    if (r < 0) {
        link_spec_done(&spec);
        return r;
    }

    *ret = spec;
    return 0;
}

static int interface_add_link(Interface *interface, const Ec2NetworkInterface *eni)
{
    LinkSpec spec;
    int r;

    r = interface_make_spec(interface, eni, &spec);
    if (r < 0)
        return r;
    r = links_add(interface->manager->links, &spec, &interface->link);
    link_spec_done(&spec);
    return r;
}

static void interface_forget_link(Interface *interface)
{
    const Ec2NetworkInterface *eni = eni_record(interface->eni);

    if (interface->link)
        links_remove(interface->manager->links, interface->link);
    interface->link = NULL;
    for (size_t i = 0; eni && i < ARRAY_SIZE(interface->manager->claims_dirs); i++)
        (void)links_unclaim(interface->manager->claims_dirs[i], &eni->mac);
}

/* ------------------------------------------------------------ events of the cloud's side */

/* Under its name at first and for good: whoever looks at a device of that MAC is to keep off. */
static void interface_claim(Interface *interface, const MacAddr *mac)
{
    const Manager *manager = interface->manager;
    char name[IFNAMSIZ];
    int r;

    (void)snprintf(name, sizeof(name), "multus%u", interface->desired->position);
    for (size_t i = 0; i < ARRAY_SIZE(manager->claims_dirs); i++) {
        if (i == CLAIMS_RUNTIME && interface_was_up(interface))
            continue;
        r = links_claim(manager->claims_dirs[i], mac, name, false);
        if (r < 0)
            interface_log(interface, LOG_WARNING, r, MESSAGE_STATE_UNWRITABLE,
                          "%s: cannot claim the device in %s: %m. Another network manager may configure it",
                          interface->desired->ifname, manager->claims_dirs[i]);
    }

    r = nodeadm_disown(manager->options.root, manager->metadata->instance_id, name);
    if (r == 0)
        r = nodeadm_disown(manager->options.root, manager->metadata->instance_id, interface->desired->ifname);
    if (r < 0)
        interface_log(interface, LOG_WARNING, r, MESSAGE_STATE_UNWRITABLE,
                      "%s: cannot claim it in %s/etc/eks/nodeadm/udev-net-manager: %m. nodeadm may configure "
                      "it if the udev rules of multus-eks are not installed",
                      interface->desired->ifname, manager->options.root);
}

static void on_eni_created(Interface *interface)
{
    Manager *manager = interface->manager;
    const Ec2NetworkInterface *eni = eni_record(interface->eni);
    char mac[MAC_ADDR_TEXT];
    int r;

    manager_reach(manager, MILESTONE_CREATED);
    if (eni_is_adopted(interface->eni))
        interface_log(interface, LOG_INFO, 0, MESSAGE_ENI_ADOPTED, "%s: found %s (%s) in %s",
                      interface->desired->ifname, eni->network_interface_id, mac_addr_format(&eni->mac, mac),
                      eni->subnet_id);
    else
        interface_log(interface, LOG_INFO, 0, MESSAGE_ENI_CREATED, "%s: created %s (%s) in %s",
                      interface->desired->ifname, eni->network_interface_id, mac_addr_format(&eni->mac, mac),
                      eni->subnet_id);

    /* Whatever tags somebody has given it: the node's own network is not touched. */
    if (mac_addr_equal(&eni->mac, &manager->metadata->primary_mac)) {
        eni_give_up(interface->eni,
                    "it has the tags of a Multus interface, but is this node's primary one: "
                    "remove its tags multus-eks:instance-id and multus-eks:network");
        return;
    }
    interface_claim(interface, &eni->mac);
    r = interface_add_link(interface, eni);
    if (r < 0) {
        _cleanup_(freep) char *text = NULL;

        if (asprintf(&text, "%s: cannot wait for its device: %s", interface->desired->ifname, strerror(-r)) <
            0)
            text = NULL;
        eni_give_up(interface->eni, text ?: "out of memory");
    }
}

static void on_eni_attached(Interface *interface)
{
    Manager *manager = interface->manager;
    int r = 0;

    manager_reach(manager, MILESTONE_ATTACHED);
    interface_log(interface, eni_is_adopted(interface->eni) ? LOG_DEBUG : LOG_INFO, 0, MESSAGE_ENI_ATTACHED,
                  "%s: attached %s at device index %u of card %u", interface->desired->ifname,
                  eni_record(interface->eni)->network_interface_id, eni_device_index(interface->eni),
                  interface->desired->network_card);

    /* After a device that did not come in time and was attached again. */
    if (interface->link && link_state(interface->link) == LINK_STATE_FAILED) {
        links_remove(manager->links, interface->link);
        interface->link = NULL;
        r = interface_add_link(interface, eni_record(interface->eni));
    }
    if (r == 0 && interface->link)
        links_expect(manager->links, interface->link);
    else
        eni_give_up(interface->eni, "the device cannot be waited for");
}

/* EC2 says the interface is attached, the kernel says there is no device. */
static void on_eni_present(Interface *interface)
{
    _cleanup_(freep) char *text = NULL;

    /* It came meanwhile; or it went, no clock runs, and from now on it is due again. */
    if (interface->link && link_state(interface->link) != LINK_STATE_FAILED) {
        if (!link_is_expected(interface->link))
            links_expect(interface->manager->links, interface->link);
        return;
    }

    if (asprintf(
            &text,
            "%s is attached at device index %u, but no device with its MAC address has appeared within "
            "attach_timeout; see the kernel's messages of the ena driver (journalctl -k), or stop and start "
            "the instance",
            eni_record(interface->eni)->network_interface_id, eni_device_index(interface->eni)) < 0)
        text = NULL;
    eni_give_up(interface->eni, text ?: "no device has appeared");
}

static void on_eni_failed(Interface *interface)
{
    const char *error = eni_error(interface->eni);
    /* Given up for its device's sake: what to do is found there. */
    bool by_link = interface->link && link_state(interface->link) == LINK_STATE_FAILED;

    (void)replace_string(&interface->error, error ?: "out of memory");
    interface_log(interface, LOG_ERR, 0, by_link ? MESSAGE_LINK_FAILED : MESSAGE_ENI_FAILED, "%s: %s",
                  interface->desired->ifname, interface->error ?: "");

    /* A failed link may be reporting right now, and has nothing running any more. */
    if (interface->link && link_state(interface->link) != LINK_STATE_FAILED)
        interface_forget_link(interface);
}

void interfaces_on_eni(Eni *eni, EniEventType event, void *userdata)
{
    Manager *manager = userdata;
    Interface *interface = NULL;

    for (size_t i = 0; i < manager->n_interfaces; i++)
        if (manager->interfaces[i].eni == eni)
            interface = &manager->interfaces[i];
    assert(interface);

    switch (event) {
    case ENI_EVENT_CREATED: on_eni_created(interface); break;
    case ENI_EVENT_ATTACHED: on_eni_attached(interface); break;
    case ENI_EVENT_READY: break;
    case ENI_EVENT_PRESENT: on_eni_present(interface); break;
    case ENI_EVENT_LOST: interface_forget_link(interface); break;
    case ENI_EVENT_FAILED: on_eni_failed(interface); break;
    }
    manager_check_ready(manager);
}

/* ------------------------------------------------------------ events of the kernel's side */

static void on_link_bound(const Interface *interface, const LinkEvent *event)
{
    char address[PCI_ADDRESS_TEXT] = "";

    (void)link_pci_address(event->link, address);
    interface_log(interface, LOG_INFO, 0, MESSAGE_LINK_UP, "%s: PCI device %s is with %s%s",
                  interface->desired->ifname, address, interface->desired->driver,
                  event->changed ? "" : ", nothing had to be changed");
    /* Until then there may be more to come, and the file is written once. */
    if (interface->manager->phase >= MANAGER_PHASE_READY)
        handover_devices(interface->manager);
}

static void on_link_up(Interface *interface, const LinkEvent *event)
{
    Manager *manager = interface->manager;

    manager_reach(manager, MILESTONE_LINKS);
    if (link_state(event->link) == LINK_STATE_BOUND) {
        on_link_bound(interface, event);
        return;
    }

    /* From here on udev is to give no other name, whoever triggers it ("udevadm trigger"). */
    (void)links_claim(manager->claims_dirs[CLAIMS_RUNTIME], &link_spec(event->link)->mac,
                      interface->desired->ifname, true);
    interface_log(interface, event->text[0] ? LOG_WARNING : LOG_INFO, 0,
                  event->text[0] ? MESSAGE_LINK_OVERRIDDEN : MESSAGE_LINK_UP, "%s: up, MTU %u%s%s%s",
                  interface->desired->ifname, link_mtu(event->link),
                  event->changed ? "" : ", nothing had to be changed", event->text[0] ? "; " : "",
                  event->text);
}

static bool eni_can_look(const Interface *interface)
{
    EniState state = eni_state(interface->eni);

    return state == ENI_STATE_READY || state == ENI_STATE_MODIFYING;
}

/* After the boot nothing is taken away: pods may be using it. */
static void on_link_failed(Interface *interface, const LinkEvent *event)
{
    bool booting = interface->manager->phase < MANAGER_PHASE_READY;
    bool look = booting && event->error == -ETIMEDOUT && eni_can_look(interface);

    /* One that is given up says so when it has failed. */
    if (!booting || look)
        interface_log(interface, booting ? LOG_WARNING : LOG_ERR, event->error, MESSAGE_LINK_FAILED,
                      "%s: %s%s", interface->desired->ifname, event->text,
                      booting ? ""
                              : ". Its interface in EC2 is left as it is; restart multus-eksd to try again");
    if (!booting)
        return;
    if (look)
        eni_look(interface->eni);
    else
        eni_give_up(interface->eni, event->text);
}

static void on_link_gone(Interface *interface)
{
    bool booting = interface->manager->phase < MANAGER_PHASE_READY;
    bool look = booting && eni_can_look(interface);

    /* What we take away ourselves is no news. */
    if (booting && eni_state(interface->eni) == ENI_STATE_REMOVING)
        return;
    interface_log(
        interface, LOG_WARNING, 0, MESSAGE_LINK_GONE, "%s: the device is gone%s", interface->desired->ifname,
        look      ? "; looking for it in EC2"
        : booting ? ""
                  : ": somebody has detached the interface. Restart multus-eksd to attach it again");
    if (look)
        eni_look(interface->eni);
}

/*
 * Pods are found by the interface below theirs, which may come, go and come back with another index. While it
 * is there their traffic goes through it, whatever has become of its name or its settings.
 */
static void interface_tell_index(const Interface *interface)
{
    const Ec2NetworkInterface *eni = eni_record(interface->eni);

    if (interface->manager->serve && eni)
        serve_set_ifindex(interface->manager->serve, eni->network_interface_id,
                          interface->link ? link_ifindex(interface->link) : 0);
}

void interfaces_on_link(const LinkEvent *event, void *userdata)
{
    Manager *manager = userdata;
    Interface *interface = link_spec(event->link)->userdata;

    switch (event->type) {
    case LINK_EVENT_SEEN:
        interface_log(interface, LOG_INFO, 0, NULL, "%s: the device is there, as %s",
                      interface->desired->ifname, link_name(event->link));
        break;
    case LINK_EVENT_SLOW:
        interface_log(interface, LOG_WARNING, 0, MESSAGE_LINK_SLOW,
                      "%s: attached 15 s ago and no device yet; waiting up to attach_timeout",
                      interface->desired->ifname);
        /* It may have been detached meanwhile: then waiting longer would not help. */
        if (manager->phase < MANAGER_PHASE_READY && eni_can_look(interface))
            eni_look(interface->eni);
        break;
    case LINK_EVENT_UP: on_link_up(interface, event); break;
    case LINK_EVENT_FAILED: on_link_failed(interface, event); break;
    case LINK_EVENT_AWAY:
        interface_log(
            interface, LOG_INFO, 0, NULL,
            "%s: the device is in another network namespace, as with the plugin host-device; it is set "
            "up again when it comes back",
            interface->desired->ifname);
        break;
    case LINK_EVENT_GONE: on_link_gone(interface); break;
    }
    interface_tell_index(interface);
    manager_check_ready(manager);
}
