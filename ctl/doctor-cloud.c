/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The instance, its subnets and its security groups, as EC2 tells of them: slots for interfaces, free
 * addresses, reservations, the options of IMDS that IMDS itself does not tell.
 */

#include "doctor-cloud.h"
#include "util/buf.h"
#include <stdio.h>

/* So few free addresses that a burst of pods could use them up. */
#define FREE_FEW 16

/* AWS accepts five minutes; a minute is somebody's mistake already. */
#define CLOCK_BAD  ((int64_t)(60 * USEC_PER_SEC))
#define CLOCK_GOOD ((int64_t)(2 * USEC_PER_SEC))

void cloud_report_metadata_options(const Ec2Instance *instance, DoctorReport *report)
{
    char advice[512];

    (void)snprintf(advice, sizeof(advice),
                   "Set both in the launch template, and on this instance:\n"
                   "  aws ec2 modify-instance-metadata-options --instance-id %s --http-tokens required "
                   "--http-put-response-hop-limit 1\n"
                   "Pods that need it on purpose should have a role of their own (IRSA, Pod Identity).",
                   instance->instance_id);

    if (instance->metadata_hop_limit == 0)
        doctor_skip(report, "imds.hop-limit", "EC2 does not tell it");
    else if (instance->metadata_hop_limit == 1)
        doctor_ok(report, "imds.hop-limit", "1: pods cannot take the node's credentials");
    else
        doctor_add(report, DOCTOR_WARNING, "imds.hop-limit", advice,
                   "%u: pods can take the node's credentials, and with them its interfaces",
                   instance->metadata_hop_limit);

    if (!instance->metadata_tokens)
        doctor_skip(report, "imds.tokens", "EC2 does not tell it");
    else if (streq(instance->metadata_tokens, "required"))
        doctor_ok(report, "imds.tokens", "required: version 1 is off");
    else
        doctor_add(report, DOCTOR_WARNING, "imds.tokens", advice, "%s: version 1 is on",
                   instance->metadata_tokens);
}

void cloud_report_clock(const Aws *aws, DoctorReport *report)
{
    int64_t difference = aws_clock_difference(aws);
    int64_t off = difference < 0 ? -difference : difference;

    if (aws_statistics(aws)->n_calls == 0)
        doctor_skip(report, "clock.aws", "AWS has not answered");
    else if (off <= CLOCK_GOOD)
        doctor_ok(report, "clock.aws", "within two seconds of AWS");
    else
        doctor_add(
            report, off > CLOCK_BAD ? DOCTOR_FAIL : DOCTOR_WARNING, "clock.aws",
            "AWS refuses signatures that are five minutes off. On EC2 the time is at 169.254.169.123:\n"
            "  systemctl status chronyd; chronyc makestep",
            "this clock is %lld s %s that of AWS", (long long)(off / (int64_t)USEC_PER_SEC),
            difference < 0 ? "ahead of" : "behind");
}

void cloud_report_networks(const Desired *desired, const char *errors, DoctorReport *report)
{
    _cleanup_buf_ Buf text = BUF_NULL;

    if (errors) {
        doctor_add_lines(report, DOCTOR_FAIL, "networks",
                         "Mend the configuration or the tags; this shows what would be done:\n"
                         "  multus-eksctl plan",
                         errors);
        return;
    }
    for (size_t i = 0; desired && i < desired->n_enis; i++)
        (void)buf_printf(&text, "%s%s in %s", i > 0 ? ", " : "", desired->enis[i].ifname,
                         desired->enis[i].subnet_id);
    if (text.n > 0)
        doctor_ok(report, "networks", "%s", text.data);
    else
        doctor_add(
            report, DOCTOR_WARNING, "networks",
            "Name subnets in the tag multus-eks:subnets of the Auto Scaling group or the instance, or in "
            "subnets of the configuration. Those of other zones do not count:\n  multus-eksctl plan",
            "this node would get no Multus interface");
}

/* ------------------------------------------------------------ slots */

static unsigned limit_of_card(const Ec2InstanceType *type, unsigned card)
{
    for (size_t i = 0; i < type->n_network_cards; i++)
        if (type->network_cards[i].network_card_index == card)
            return type->network_cards[i].maximum_network_interfaces;
    return card == 0 ? type->maximum_network_interfaces : 0;
}

static unsigned attached_to_card(const Ec2Instance *instance, unsigned card)
{
    unsigned n = 0;

    for (size_t i = 0; i < instance->n_network_interfaces; i++)
        n += instance->network_interfaces[i].attachment.network_card_index == card;
    return n;
}

static unsigned wanted_on_card(const Plan *plan, unsigned card)
{
    unsigned n = 0;

    for (size_t i = 0; i < plan->n_enis; i++)
        n += plan->enis[i].desired->network_card == card && plan->enis[i].steps & STEP_ATTACH;
    return n;
}

/* That more are wanted than there is room for is a mistake to the plan already. */
static void report_card(const Cloud *cloud, unsigned card, DoctorReport *report)
{
    const Ec2InstanceType *type = cloud->facts->instance_type;
    unsigned limit = limit_of_card(type, card), attached = attached_to_card(cloud->facts->instance, card);
    unsigned wanted = wanted_on_card(cloud->plan, card);
    char check[32] = "slots";

    if (card > 0)
        (void)snprintf(check, sizeof(check), "slots.card%u", card);
    doctor_ok(report, check, "%s: %u of %u interfaces attached, %u more wanted, %u left over",
              type->instance_type, attached, limit, wanted, limit - MIN(limit, attached + wanted));
}

void cloud_report_slots(const Cloud *cloud, DoctorReport *report)
{
    unsigned cards = 0; /* bit k: something is wanted on card k */

    if (!cloud->facts->instance_type || !cloud->plan) {
        doctor_skip(report, "slots", "%s",
                    cloud->plan ? "the limits of the instance type are not known"
                                : "there is no plan: see the check \"networks\"");
        return;
    }
    for (size_t i = 0; i < cloud->desired->n_enis; i++)
        cards |= 1u << cloud->desired->enis[i].network_card;
    for (unsigned card = 0; card < 32; card++)
        if (cards & 1u << card || card == 0)
            report_card(cloud, card, report);
}

/* ------------------------------------------------------------ subnets */

static const Ec2Subnet *find_subnet(const Facts *facts, const char *id)
{
    for (size_t i = 0; i < facts->n_subnets; i++)
        if (streq_ptr(facts->subnets[i].subnet_id, id))
            return &facts->subnets[i];
    return NULL;
}

/* Several interfaces may be in one subnet: it is reported with the first of them. */
static bool is_first_in_subnet(const Desired *desired, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (streq(desired->enis[i].subnet_id, desired->enis[index].subnet_id))
            return false;
    return true;
}

static unsigned new_in_subnet(const Cloud *cloud, const char *id)
{
    unsigned n = 0;

    for (size_t i = 0; cloud->plan && i < cloud->plan->n_enis; i++)
        n += cloud->plan->enis[i].steps & STEP_CREATE && streq(cloud->plan->enis[i].desired->subnet_id, id);
    return n;
}

static void report_free(const Cloud *cloud, const Ec2Subnet *subnet, const char *ifname, DoctorReport *report)
{
    unsigned available = subnet->available_ip_address_count, wanted = new_in_subnet(cloud, subnet->subnet_id);
    const char *id = subnet->subnet_id;
    char check[32], cidr[IN_PREFIX_TEXT];

    (void)snprintf(check, sizeof(check), "subnet.%s", ifname);
    (void)in_prefix_format(&subnet->cidr_block, cidr);
    if (available < wanted)
        doctor_add(report, DOCTOR_FAIL, check,
                   "Delete network interfaces in it that nobody uses, or use a larger subnet.",
                   "%s (%s) has %u free addresses, %u are needed", id, cidr, available, wanted);
    else if (available < FREE_FEW)
        doctor_add(
            report, DOCTOR_WARNING, check,
            "New nodes and pods may soon get none. Delete network interfaces in it that nobody uses, or "
            "use a larger subnet.",
            "%s (%s) has %u free addresses left", id, cidr, available);
    else
        doctor_ok(report, check, "%s (%s) has %u free addresses", id, cidr, available);
}

/* EC2 chooses from what is not reserved; pods' addresses that it may choose as well will be taken one day. */
static void report_reservations(const CloudLookup *lookup, const Ec2Subnet *subnet, const char *ifname,
                                DoctorReport *report)
{
    _cleanup_buf_ Buf reserved = BUF_NULL;
    char check[32], text[IN_PREFIX_TEXT], advice[512];

    (void)snprintf(check, sizeof(check), "reserved.%s", ifname);
    if (!lookup->answered) {
        doctor_skip(report, check, "the role may not read what is reserved (ec2:GetSubnetCidrReservations)");
        return;
    }
    for (size_t i = 0; i < lookup->records.n_reservations; i++)
        if (lookup->records.reservations[i].is_explicit)
            (void)buf_printf(&reserved, "%s%s", reserved.n > 0 ? ", " : "",
                             in_prefix_format(&lookup->records.reservations[i].cidr, text));
    if (reserved.n > 0) {
        doctor_ok(report, check, "%s: %s for pods", subnet->subnet_id, reserved.data);
        return;
    }
    (void)snprintf(
        advice, sizeof(advice),
        "EC2 may give an address of your pods' range to another interface. Reserve the range; then "
        "EC2 gives addresses of it to those only who name them:\n"
        "  aws ec2 create-subnet-cidr-reservation --reservation-type explicit --subnet-id %s --cidr "
        "RANGE-OF-THE-PODS",
        subnet->subnet_id);
    doctor_add(report, DOCTOR_WARNING, check, advice, "nothing of %s (%s) is reserved for pods",
               subnet->subnet_id, in_prefix_format(&subnet->cidr_block, text));
}

void cloud_report_subnets(const Cloud *cloud, DoctorReport *report)
{
    for (size_t i = 0; i < cloud->desired->n_enis; i++) {
        const DesiredEni *eni = &cloud->desired->enis[i];
        const Ec2Subnet *subnet = find_subnet(cloud->facts, eni->subnet_id);

        if (!subnet || !is_first_in_subnet(cloud->desired, i))
            continue;
        report_free(cloud, subnet, eni->ifname, report);
        if (cloud->registration)
            report_reservations(&cloud->reservations[i], subnet, eni->ifname, report);
    }
}

/* ------------------------------------------------------------ security groups */

static const Ec2SecurityGroup *find_group(const AwsRecords *records, const char *id)
{
    for (size_t i = 0; i < records->n_security_groups; i++)
        if (streq_ptr(records->security_groups[i].group_id, id))
            return &records->security_groups[i];
    return NULL;
}

/* Returns whether all groups of an interface are right; else a result was added. */
static bool check_groups_of(const Cloud *cloud, const DesiredEni *eni, DoctorReport *report)
{
    for (size_t i = 0; i < eni->group_ids.n; i++) {
        const char *id = eni->group_ids.items[i];
        const Ec2SecurityGroup *group = find_group(&cloud->groups->records, id);

        if (group && streq_ptr(group->vpc_id, cloud->facts->metadata->vpc_id))
            continue;
        doctor_add(report, DOCTOR_FAIL, "security-groups",
                   "Name one of the node's VPC, in security_groups of the configuration or in the tag "
                   "multus-eks:security-groups.",
                   "%s of %s %s", id, eni->ifname,
                   group ? "is of another VPC" : "does not exist in this Region");
        return false;
    }
    return true;
}

void cloud_report_groups(const Cloud *cloud, DoctorReport *report)
{
    _cleanup_buf_ Buf without = BUF_NULL;
    bool any = false;

    for (size_t i = 0; i < cloud->desired->n_enis; i++) {
        const DesiredEni *eni = &cloud->desired->enis[i];

        any |= eni->group_ids.n > 0;
        if (eni->group_ids.n == 0)
            (void)buf_printf(&without, "%s%s", without.n > 0 ? ", " : "", eni->ifname);
    }
    if (any && !cloud->groups->answered) {
        doctor_skip(report, "security-groups",
                    "the role may not read them (ec2:DescribeSecurityGroups, of AmazonEKSWorkerNodePolicy)");
        return;
    }
    for (size_t i = 0; i < cloud->desired->n_enis; i++)
        if (!check_groups_of(cloud, &cloud->desired->enis[i], report))
            return;
    if (without.n > 0)
        doctor_add(
            report, DOCTOR_WARNING, "security-groups",
            "The VPC's default group lets in only what comes from itself. Name groups in security_groups, "
            "unless that is what you want.",
            "none is configured for %s", without.data);
    else if (any)
        doctor_ok(report, "security-groups", "all are there, in VPC %s", cloud->facts->metadata->vpc_id);
}
