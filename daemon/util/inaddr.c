/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses as values: family and bytes in network order, so that comparing is memcmp() and
 * arithmetic is a carry over bytes, the same for both families. Unused bytes are always zero.
 */

#include "util/inaddr.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

size_t in_addr_size(int family)
{
    if (family == AF_INET)
        return 4;
    if (family == AF_INET6)
        return 16;
    return 0;
}

int in_addr_parse(const char *s, InAddr *ret)
{
    InAddr address = {.family = strchr(s, ':') ? AF_INET6 : AF_INET};

    if (inet_pton(address.family, s, address.bytes) != 1)
        return -EINVAL;

    *ret = address;
    return 0;
}

char *in_addr_format(const InAddr *address, char buf[static IN_ADDR_TEXT])
{
    if (!in_addr_is_set(address) || !inet_ntop(address->family, address->bytes, buf, IN_ADDR_TEXT))
        buf[0] = '\0';
    return buf;
}

int in_addr_compare(const InAddr *a, const InAddr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, in_addr_size(a->family));
}

int in_addr_add(const InAddr *address, uint64_t n, InAddr *ret)
{
    InAddr sum = *address;
    uint64_t carry = n;

    for (size_t i = in_addr_size(address->family); i > 0 && carry > 0; i--) {
        uint64_t low = (carry & 0xff) + sum.bytes[i - 1];

        sum.bytes[i - 1] = (uint8_t)low;
        carry = (carry >> 8) + (low >> 8);
    }
    if (carry > 0)
        return -ERANGE;

    *ret = sum;
    return 0;
}

int in_prefix_parse(const char *s, InPrefix *ret)
{
    char text[IN_ADDR_TEXT];
    const char *slash = strchr(s, '/');
    InPrefix prefix;
    char *end;
    unsigned long length;
    int r;

    if (!slash || (size_t)(slash - s) >= sizeof(text))
        return -EINVAL;
    memcpy(text, s, (size_t)(slash - s));
    text[slash - s] = '\0';

    r = in_addr_parse(text, &prefix.address);
    if (r < 0)
        return r;

    if (slash[1] < '0' || slash[1] > '9')
        return -EINVAL;
    length = strtoul(slash + 1, &end, 10);
    if (*end || length > 8 * in_addr_size(prefix.address.family))
        return -EINVAL;

    prefix.length = (unsigned)length;
    *ret = prefix;
    return 0;
}

char *in_prefix_format(const InPrefix *prefix, char buf[static IN_PREFIX_TEXT])
{
    char text[IN_ADDR_TEXT];

    buf[0] = '\0';
    if (in_prefix_is_set(prefix))
        (void)snprintf(buf, IN_PREFIX_TEXT, "%s/%u", in_addr_format(&prefix->address, text), prefix->length);
    return buf;
}

/* The bits of byte i that belong to the network part. */
static uint8_t prefix_mask(unsigned length, size_t i)
{
    if (length >= 8 * (i + 1))
        return 0xff;
    if (length <= 8 * i)
        return 0;
    return (uint8_t)(0xff << (8 - (length - 8 * i)));
}

bool in_prefix_contains(const InPrefix *prefix, const InAddr *address)
{
    if (!in_addr_is_set(address) || address->family != prefix->address.family)
        return false;

    for (size_t i = 0; i < in_addr_size(address->family); i++)
        if ((address->bytes[i] ^ prefix->address.bytes[i]) & prefix_mask(prefix->length, i))
            return false;
    return true;
}

InAddr in_prefix_first(const InPrefix *prefix)
{
    InAddr first = prefix->address;

    for (size_t i = 0; i < in_addr_size(first.family); i++)
        first.bytes[i] &= prefix_mask(prefix->length, i);
    return first;
}

InAddr in_prefix_last(const InPrefix *prefix)
{
    InAddr last = prefix->address;

    for (size_t i = 0; i < in_addr_size(last.family); i++)
        last.bytes[i] |= (uint8_t)~prefix_mask(prefix->length, i);
    return last;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int mac_addr_parse(const char *s, MacAddr *ret)
{
    MacAddr mac;

    if (strlen(s) != MAC_ADDR_TEXT - 1)
        return -EINVAL;

    for (size_t i = 0; i < sizeof(mac.bytes); i++, s += 3) {
        int high = hex_digit(s[0]), low = hex_digit(s[1]);

        if (high < 0 || low < 0 || (i < 5 && s[2] != ':' && s[2] != '-'))
            return -EINVAL;
        mac.bytes[i] = (uint8_t)(high << 4 | low);
    }

    *ret = mac;
    return 0;
}

char *mac_addr_format(const MacAddr *mac, char buf[static MAC_ADDR_TEXT])
{
    const uint8_t *b = mac->bytes;

    (void)snprintf(buf, MAC_ADDR_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    return buf;
}
