/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a desired interface to the parameters of CreateNetworkInterface. All tags go into the request
 * itself: between a Create and a later CreateTags the VPC CNI could already have taken the interface
 * for one of its own.
 */

#include "eni/create.h"
#include "util/buf.h"
#include "util/sha256.h"
#include <errno.h>

static int token_of(const AwsQuery *query, const char *instance_id, char ret[static SHA256_TEXT])
{
    _cleanup_(freep) char *body = aws_query_encode(query);
    _cleanup_buf_ Buf text = BUF_NULL;
    uint8_t digest[SHA256_SIZE];
    int r;

    if (!body)
        return -ENOMEM;
    r = buf_printf(&text, "%s\n%s", instance_id, body);
    if (r < 0)
        return r;
    r = sha256(text.data, text.n, digest);
    if (r < 0)
        return r;

    (void)sha256_format(digest, ret);
    return 0;
}

static void set_addresses(const CreateArgs *args, Ec2CreateNetworkInterface *request)
{
    request->private_ip = args->private_ip;
    if (args->ipv6_address) {
        request->ipv6_addresses = args->ipv6_address;
        request->n_ipv6_addresses = 1;
    } else if (args->desired->ipv6) {
        request->ipv6_address_count = 1;
    }
}

int create_query(const CreateArgs *args, AwsQuery *ret)
{
    const DesiredEni *desired = args->desired;
    _cleanup_aws_query_ AwsQuery query = {0};
    _cleanup_keyvalue_list_ KeyValueList tags = KEYVALUE_LIST_NULL;
    _cleanup_buf_ Buf description = BUF_NULL;
    Ec2CreateNetworkInterface request = {
        .subnet_id = desired->subnet_id,
        .group_ids = &desired->group_ids,
        .tags = &tags,
    };
    char token[SHA256_TEXT];
    int r;

    r = keyvalue_list_copy(&desired->tags, &tags);
    if (r == 0)
        r = keyvalue_list_set(&tags, TAG_CREATED, args->created);
    if (r == 0)
        r = buf_printf(&description, "multus-eks %s of %s", desired->network, args->instance_id);
    if (r < 0)
        return r;
    request.description = description.data;
    set_addresses(args, &request);

    r = ec2_query_create_network_interface(&request, &query);
    if (r == 0)
        r = token_of(&query, args->instance_id, token);
    if (r == 0)
        r = keyvalue_list_append(&query.parameters, "ClientToken", token);
    if (r < 0)
        return r;

    *ret = query;
    query = (AwsQuery){0};
    return 0;
}
