/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The status document: what GET /v1/status answers, at any moment of the daemon's life. Absent values
 * are null, so that a reader may rely on every member being there.
 */

#include "manager-private.h"
#include "serve.h"

/* Of several of IPv6 it is noted which is the interface's own (state.h); before that, one alone is. */
static const InAddr *own_ipv6(const Manager *manager, const Ec2NetworkInterface *eni)
{
    const Registrar *registrar = manager->serve ? serve_registrar(manager->serve) : NULL;
    const State *state = registrar ? registrar_state(registrar) : NULL;

    if (state)
        return state_find_own(state, eni->network_interface_id);
    return eni->n_ipv6_addresses == 1 ? &eni->ipv6_addresses[0] : NULL;
}

/* Of IPv4 the first is the primary one (records.h); those of pods are listed by /v1/addresses. */
static json_t *own_addresses_json(const Manager *manager, const Ec2NetworkInterface *eni)
{
    const InAddr *ipv6 = eni ? own_ipv6(manager, eni) : NULL;
    json_t *array = json_array();
    char text[IN_ADDR_TEXT];

    if (eni && eni->n_private_ips > 0)
        (void)json_array_append_new(array, json_string(in_addr_format(&eni->private_ips[0].address, text)));
    if (ipv6)
        (void)json_array_append_new(array, json_string(in_addr_format(ipv6, text)));
    return array;
}

static json_t *strings_json(const StrList *list)
{
    json_t *array = json_array();

    for (size_t i = 0; list && i < list->n; i++)
        (void)json_array_append_new(array, json_string(list->items[i]));
    return array;
}

/* The cloud's state until EC2 is done, the kernel's from then on. */
static const char *interface_state(const Interface *interface)
{
    if (interface_has_failed(interface))
        return "failed";
    if (!interface->eni)
        return "planned";
    if (eni_state(interface->eni) != ENI_STATE_READY || !interface->link)
        return eni_state_to_string(eni_state(interface->eni));
    return link_state_to_string(link_state(interface->link));
}

static json_t *pci_address_json(const Link *link)
{
    char address[PCI_ADDRESS_TEXT];

    return link && link_pci_address(link, address) == 0 ? json_string(address) : json_null();
}

static json_t *positive_json(unsigned value)
{
    return value > 0 ? json_integer(value) : json_null();
}

/* How many addresses the interface holds for pods; null before there is anything to hold them. */
static json_t *registered_json(const Manager *manager, const Ec2NetworkInterface *eni)
{
    const Registrar *registrar = manager->serve ? serve_registrar(manager->serve) : NULL;
    const State *state = registrar ? registrar_state(registrar) : NULL;
    json_int_t n = 0;

    if (!state || !eni)
        return json_null();
    for (size_t i = 0; i < state_n(state); i++)
        n += state_get(state, i)->assigned &&
             streq(state_get(state, i)->network_interface_id, eni->network_interface_id);
    return json_integer(n);
}

/* Addresses of one interface that the instance type allows, its own included. */
static json_t *limit_json(const Manager *manager)
{
    const Observation *observation = manager->gather ? gather_observation(manager->gather) : NULL;
    const Ec2InstanceType *type = observation ? observation->facts.instance_type : NULL;

    return json_pack("{s:o, s:o}", "ipv4", positive_json(type ? type->ipv4_addresses_per_interface : 0),
                     "ipv6", positive_json(type ? type->ipv6_addresses_per_interface : 0));
}

static json_t *interface_json(const Interface *interface)
{
    const DesiredEni *desired = interface->desired;
    const Ec2NetworkInterface *eni = interface->eni ? eni_record(interface->eni) : NULL;
    char mac[MAC_ADDR_TEXT];

    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "name",
        desired->ifname, "network", desired->network, "state", interface_state(interface), "eni_id",
        json_string_or_null(eni ? eni->network_interface_id : NULL), "mac",
        json_string_or_null(eni ? mac_addr_format(&eni->mac, mac) : NULL), "subnet_id", desired->subnet_id,
        "device_index", eni ? json_integer(eni_device_index(interface->eni)) : json_null(),
        "network_card_index", (int)desired->network_card, "addresses",
        own_addresses_json(interface->manager, eni), "group_ids",
        strings_json(eni ? &eni->group_ids : &desired->group_ids), "mtu",
        positive_json(interface->link ? link_mtu(interface->link) : 0), "ifindex",
        positive_json(interface->link ? (unsigned)link_ifindex(interface->link) : 0), "pci_address",
        pci_address_json(interface->link), "driver", desired->driver, "error",
        json_string_or_null(interface->error), "addresses_registered",
        registered_json(interface->manager, eni), "address_limit", limit_json(interface->manager));
}

static json_t *interfaces_json(const Manager *manager)
{
    json_t *array = json_array();

    for (size_t i = 0; i < manager->n_interfaces; i++)
        (void)json_array_append_new(array, interface_json(&manager->interfaces[i]));
    return array;
}

static json_t *timings_json(const Manager *manager)
{
    static const char *const names[_MILESTONE_MAX] = {
        [MILESTONE_METADATA] = "metadata_ms", [MILESTONE_OBSERVED] = "observed_ms",
        [MILESTONE_PLANNED] = "planned_ms",   [MILESTONE_CREATED] = "created_ms",
        [MILESTONE_ATTACHED] = "attached_ms", [MILESTONE_LINKS] = "links_ms",
        [MILESTONE_READY] = "ready_ms",
    };
    json_t *object = json_object();

    for (size_t i = 0; i < _MILESTONE_MAX; i++) {
        usec_t at = manager->milestones[i];

        (void)json_object_set_new(object, names[i],
                                  at > 0 ? json_real((double)(at - manager->started) / USEC_PER_MSEC)
                                         : json_null());
    }
    return object;
}

static json_t *calls_json(const Manager *manager)
{
    static const AwsStatistics none = {0};
    const AwsStatistics *calls = manager->aws ? aws_statistics(manager->aws) : &none;

    return json_pack("{s:I, s:I, s:I, s:I}", "total", (json_int_t)calls->n_calls, "mutating",
                     (json_int_t)calls->n_mutating, "throttled", (json_int_t)calls->n_throttled, "retried",
                     (json_int_t)calls->n_retried);
}

json_t *status_json(void *userdata)
{
    const Manager *manager = userdata;
    const Metadata *metadata = manager->metadata;
    bool ready = manager->phase == MANAGER_PHASE_READY || manager->phase == MANAGER_PHASE_DEGRADED;

    return json_pack(
        "{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version", VERSION, "phase",
        manager_phase_to_string(manager->phase), "ready", ready, "error", json_string_or_null(manager->error),
        "instance_id", json_string_or_null(metadata ? metadata->instance_id : NULL), "instance_type",
        json_string_or_null(metadata ? metadata->instance_type : NULL), "availability_zone",
        json_string_or_null(metadata ? metadata->availability_zone : NULL), "region",
        json_string_or_null(metadata ? metadata->region : NULL), "nodegroup",
        json_string_or_null(manager->desired ? manager->desired->nodegroup : NULL), "interfaces",
        interfaces_json(manager), "timings", timings_json(manager), "calls", calls_json(manager));
}
