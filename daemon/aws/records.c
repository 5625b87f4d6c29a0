/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Freeing and copying of what AWS told. Every record owns its strings and arrays; a done() leaves an
 * empty record behind, so that a half-decoded one is freed like a whole one.
 */

#include "aws/records.h"
#include <errno.h>

/* Free every record of an array, then the array, and leave it empty. */
#define ARRAY_DONE(_items, _n, _done)                                                                        \
    ({                                                                                                       \
        for (size_t _i = 0; _i < (_n); _i++)                                                                 \
            _done(&(_items)[_i]);                                                                            \
        (_items) = mfree(_items);                                                                            \
        (_n) = 0;                                                                                            \
    })

static void attachment_done(Ec2Attachment *attachment)
{
    free(attachment->attachment_id);
    free(attachment->instance_id);
    free(attachment->status);
    *attachment = (Ec2Attachment){0};
}

void ec2_network_interface_done(Ec2NetworkInterface *eni)
{
    free(eni->network_interface_id);
    free(eni->subnet_id);
    free(eni->vpc_id);
    free(eni->availability_zone);
    free(eni->description);
    free(eni->status);
    free(eni->interface_type);
    free(eni->private_ips);
    free(eni->ipv6_addresses);
    free(eni->prefixes);
    strlist_done(&eni->group_ids);
    attachment_done(&eni->attachment);
    keyvalue_list_done(&eni->tags);
    *eni = (Ec2NetworkInterface){0};
}

void ec2_instance_done(Ec2Instance *instance)
{
    free(instance->instance_id);
    free(instance->instance_type);
    free(instance->subnet_id);
    free(instance->vpc_id);
    free(instance->availability_zone);
    free(instance->state);
    free(instance->metadata_tokens);
    ARRAY_DONE(instance->network_interfaces, instance->n_network_interfaces, ec2_network_interface_done);
    keyvalue_list_done(&instance->tags);
    *instance = (Ec2Instance){0};
}

void ec2_subnet_done(Ec2Subnet *subnet)
{
    free(subnet->subnet_id);
    free(subnet->vpc_id);
    free(subnet->availability_zone);
    free(subnet->availability_zone_id);
    keyvalue_list_done(&subnet->tags);
    *subnet = (Ec2Subnet){0};
}

static void reservation_done(Ec2SubnetCidrReservation *reservation)
{
    free(reservation->subnet_id);
}

static void security_group_done(Ec2SecurityGroup *group)
{
    free(group->group_id);
    free(group->group_name);
    free(group->vpc_id);
}

static void instance_type_done(Ec2InstanceType *type)
{
    free(type->instance_type);
    free(type->network_cards);
}

static void autoscaling_instance_done(AutoScalingInstance *instance)
{
    free(instance->instance_id);
    free(instance->lifecycle_state);
}

static void group_done(AutoScalingGroup *group)
{
    free(group->name);
    ARRAY_DONE(group->instances, group->n_instances, autoscaling_instance_done);
    keyvalue_list_done(&group->tags);
}

static void hook_done(AutoScalingLifecycleHook *hook)
{
    free(hook->name);
    free(hook->transition);
}

void aws_records_done(AwsRecords *records)
{
    ARRAY_DONE(records->network_interfaces, records->n_network_interfaces, ec2_network_interface_done);
    ARRAY_DONE(records->instances, records->n_instances, ec2_instance_done);
    ARRAY_DONE(records->subnets, records->n_subnets, ec2_subnet_done);
    ARRAY_DONE(records->reservations, records->n_reservations, reservation_done);
    ARRAY_DONE(records->security_groups, records->n_security_groups, security_group_done);
    ARRAY_DONE(records->instance_types, records->n_instance_types, instance_type_done);
    ARRAY_DONE(records->groups, records->n_groups, group_done);
    ARRAY_DONE(records->hooks, records->n_hooks, hook_done);
    free(records->assigned);
    free(records->attachment_id);
    free(records->next_token);
    free(records->request_id);
    *records = AWS_RECORDS_NULL;
}

static int copy_array(const void *items, size_t n, size_t size, void **ret)
{
    void *copy = NULL;

    if (n > 0) {
        copy = reallocarray(NULL, n, size);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, items, n * size);
    }
    *ret = copy;
    return 0;
}

static int attachment_copy(const Ec2Attachment *attachment, Ec2Attachment *copy)
{
    copy->device_index = attachment->device_index;
    copy->network_card_index = attachment->network_card_index;
    copy->delete_on_termination = attachment->delete_on_termination;
    if (replace_string(&copy->attachment_id, attachment->attachment_id) < 0 ||
        replace_string(&copy->instance_id, attachment->instance_id) < 0 ||
        replace_string(&copy->status, attachment->status) < 0)
        return -ENOMEM;
    return 0;
}

static int strings_copy(const Ec2NetworkInterface *eni, Ec2NetworkInterface *copy)
{
    if (replace_string(&copy->network_interface_id, eni->network_interface_id) < 0 ||
        replace_string(&copy->subnet_id, eni->subnet_id) < 0 ||
        replace_string(&copy->vpc_id, eni->vpc_id) < 0 ||
        replace_string(&copy->availability_zone, eni->availability_zone) < 0 ||
        replace_string(&copy->description, eni->description) < 0 ||
        replace_string(&copy->status, eni->status) < 0 ||
        replace_string(&copy->interface_type, eni->interface_type) < 0 ||
        strlist_copy(&eni->group_ids, &copy->group_ids) < 0 ||
        keyvalue_list_copy(&eni->tags, &copy->tags) < 0)
        return -ENOMEM;
    return 0;
}

int ec2_network_interface_copy(const Ec2NetworkInterface *eni, Ec2NetworkInterface *ret)
{
    _cleanup_(ec2_network_interface_done) Ec2NetworkInterface copy = {
        .mac = eni->mac,
        .source_dest_check = eni->source_dest_check,
    };
    int r;

    r = strings_copy(eni, &copy);
    if (r >= 0)
        r = attachment_copy(&eni->attachment, &copy.attachment);
    if (r >= 0)
        r = copy_array(eni->private_ips, eni->n_private_ips, sizeof(*eni->private_ips),
                       (void **)&copy.private_ips);
    if (r >= 0)
        r = copy_array(eni->ipv6_addresses, eni->n_ipv6_addresses, sizeof(*eni->ipv6_addresses),
                       (void **)&copy.ipv6_addresses);
    if (r >= 0)
        r = copy_array(eni->prefixes, eni->n_prefixes, sizeof(*eni->prefixes), (void **)&copy.prefixes);
    if (r < 0)
        return r;

    copy.n_private_ips = eni->n_private_ips;
    copy.n_ipv6_addresses = eni->n_ipv6_addresses;
    copy.n_prefixes = eni->n_prefixes;
    *ret = copy;
    copy = (Ec2NetworkInterface){0};
    return 0;
}

const Ec2NetworkInterface *aws_records_find_interface(const AwsRecords *records, const char *id)
{
    for (size_t i = 0; i < records->n_network_interfaces; i++)
        if (streq_ptr(records->network_interfaces[i].network_interface_id, id))
            return &records->network_interfaces[i];
    return NULL;
}

bool ec2_attachment_holds(const Ec2Attachment *attachment)
{
    return attachment->attachment_id && !streq_ptr(attachment->status, "detaching") &&
           !streq_ptr(attachment->status, "detached");
}
