/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Facts for tests of the plan. Strings are owned as in the program, so that the real destructors run;
 * those of the records are written out here, because no record is decoded from XML.
 */

#include "lib/vpc.h"
#include "lib/test.h"
#include <stdio.h>

static char *copy(const char *s)
{
    char *result = strdup(s);

    assert_non_null(result);
    return result;
}

static void subnet_init(Ec2Subnet *subnet, size_t i)
{
    char text[64], zone = i < 3 ? 'a' : 'b';
    unsigned number = (unsigned)(i % 3 + 1);

    (void)snprintf(text, sizeof(text), "subnet-%c%u", zone, number);
    subnet->subnet_id = copy(text);
    (void)snprintf(text, sizeof(text), "eu-central-1%c", zone);
    subnet->availability_zone = copy(text);
    (void)snprintf(text, sizeof(text), "10.0.%zu.0/24", i);
    assert_int_equal(in_prefix_parse(text, &subnet->cidr_block), 0);
    if (number == 2)
        assert_int_equal(in_prefix_parse("2001:db8::/64", &subnet->ipv6_cidr_block), 0);
}

void vpc_init(Vpc *vpc, const char *config_text)
{
    _cleanup_(buf_done) Buf errors = BUF_NULL;

    *vpc = (Vpc){.config = config_new()};
    assert_non_null(vpc->config);
    if (config_parse(vpc->config, "test.conf", config_text, strlen(config_text), &errors) < 0 ||
        config_finish(vpc->config, &errors) < 0)
        fail_msg("%s", errors.data);

    vpc->metadata.instance_id = copy(VPC_INSTANCE);
    vpc->metadata.availability_zone = copy("eu-central-1a");
    vpc->metadata.vpc_id = copy("vpc-1");
    for (size_t i = 0; i < ARRAY_SIZE(vpc->subnets); i++)
        subnet_init(&vpc->subnets[i], i);

    vpc->facts = (Facts){.config = vpc->config,
                         .metadata = &vpc->metadata,
                         .instance = &vpc->instance,
                         .subnets = vpc->subnets,
                         .n_subnets = ARRAY_SIZE(vpc->subnets),
                         .enis = vpc->enis};
    (void)vpc_add_eni(vpc, "eni-primary", "subnet-a1", NULL, VPC_INSTANCE, 0);
}

static void eni_done(Ec2NetworkInterface *eni)
{
    free(eni->network_interface_id);
    free(eni->subnet_id);
    free(eni->status);
    free(eni->attachment.attachment_id);
    free(eni->attachment.instance_id);
    free(eni->attachment.status);
    strlist_done(&eni->group_ids);
    keyvalue_list_done(&eni->tags);
}

void vpc_done(Vpc *vpc)
{
    (void)config_free(vpc->config);
    free(vpc->metadata.instance_id);
    free(vpc->metadata.availability_zone);
    free(vpc->metadata.vpc_id);
    keyvalue_list_done(&vpc->instance.tags);
    keyvalue_list_done(&vpc->asg_tags);
    for (size_t i = 0; i < ARRAY_SIZE(vpc->subnets); i++) {
        free(vpc->subnets[i].subnet_id);
        free(vpc->subnets[i].availability_zone);
        keyvalue_list_done(&vpc->subnets[i].tags);
    }
    for (size_t i = 0; i < vpc->n_enis; i++)
        eni_done(&vpc->enis[i]);
}

void vpc_tag(Vpc *vpc, const char *what, const char *key, const char *value)
{
    KeyValueList *tags = NULL;

    if (streq(what, "instance"))
        tags = &vpc->instance.tags;
    else if (streq(what, "group"))
        vpc->facts.asg_tags = tags = &vpc->asg_tags;
    for (size_t i = 0; i < ARRAY_SIZE(vpc->subnets); i++)
        if (streq(vpc->subnets[i].subnet_id, what))
            tags = &vpc->subnets[i].tags;
    assert_non_null(tags);
    assert_int_equal(keyvalue_list_append(tags, key, value), 0);
}

Ec2NetworkInterface *vpc_add_eni(Vpc *vpc, const char *id, const char *subnet_id, const char *network,
                                 const char *instance_id, unsigned index)
{
    Ec2NetworkInterface *eni = &vpc->enis[vpc->n_enis];

    assert_in_range(vpc->n_enis, 0, VPC_ENIS_MAX - 1);
    *eni = (Ec2NetworkInterface){.network_interface_id = copy(id),
                                 .subnet_id = copy(subnet_id),
                                 .status = copy(instance_id ? "in-use" : "available"),
                                 .source_dest_check = true};
    if (instance_id)
        eni->attachment = (Ec2Attachment){.attachment_id = copy("eni-attach-1"),
                                          .instance_id = copy(instance_id),
                                          .status = copy("attached"),
                                          .device_index = index,
                                          .delete_on_termination = true};
    if (network) {
        assert_int_equal(keyvalue_list_append(&eni->tags, TAG_INSTANCE_ID, VPC_INSTANCE), 0);
        assert_int_equal(keyvalue_list_append(&eni->tags, TAG_NETWORK, network), 0);
    }
    vpc->facts.n_enis = ++vpc->n_enis;
    return eni;
}
