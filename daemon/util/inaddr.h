#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* IPv4 and IPv6 addresses, prefixes and MAC addresses as values. */

#include "util/macro.h"
#include <netinet/in.h>

typedef struct InAddr {
    int family; /* AF_INET, AF_INET6, or AF_UNSPEC for "none" */
    uint8_t bytes[16];
} InAddr;

typedef struct InPrefix {
    InAddr address;
    unsigned length;
} InPrefix;

typedef struct MacAddr {
    uint8_t bytes[6];
} MacAddr;

#define IN_ADDR_NULL   ((InAddr){.family = AF_UNSPEC})
#define IN_PREFIX_NULL ((InPrefix){.address = IN_ADDR_NULL})
#define MAC_ADDR_NULL  ((MacAddr){0})
#define IN_ADDR_TEXT   INET6_ADDRSTRLEN
#define IN_PREFIX_TEXT (INET6_ADDRSTRLEN + 4)
#define MAC_ADDR_TEXT  18

/** in_addr_parse() - "10.0.0.1" or "2001:db8::1"; 0 or -EINVAL */
int in_addr_parse(const char *s, InAddr *ret);

/** in_addr_format() - canonical text (RFC 5952 for IPv6) into buf, which is returned; "" for none */
char *in_addr_format(const InAddr *address, char buf[static IN_ADDR_TEXT]);

/** in_addr_size() - bytes of an address of that family: 4, 16, or 0 */
size_t in_addr_size(int family);

/** in_addr_compare() - order by family, then numerically; <0, 0, >0 */
int in_addr_compare(const InAddr *a, const InAddr *b);

static inline bool in_addr_equal(const InAddr *a, const InAddr *b)
{
    return in_addr_compare(a, b) == 0;
}

static inline bool in_addr_is_set(const InAddr *address)
{
    return address->family != AF_UNSPEC;
}

/** in_addr_add() - address + n; 0, or -ERANGE when it leaves the address family's range */
int in_addr_add(const InAddr *address, uint64_t n, InAddr *ret);

/**
 * in_prefix_parse() - "10.0.0.0/24" or "2001:db8::/64"
 *
 * Host bits are allowed and kept. Return: 0 or -EINVAL.
 */
int in_prefix_parse(const char *s, InPrefix *ret);

/** in_prefix_format() - "10.0.0.0/24" into buf, which is returned; "" for none */
char *in_prefix_format(const InPrefix *prefix, char buf[static IN_PREFIX_TEXT]);

/** in_prefix_contains() - whether the address is inside; false across families */
bool in_prefix_contains(const InPrefix *prefix, const InAddr *address);

/** in_prefix_first() - the network address: all host bits zero */
InAddr in_prefix_first(const InPrefix *prefix);

/** in_prefix_last() - all host bits one (the broadcast address in IPv4) */
InAddr in_prefix_last(const InPrefix *prefix);

static inline bool in_prefix_is_set(const InPrefix *prefix)
{
    return in_addr_is_set(&prefix->address);
}

/** mac_addr_parse() - "02:00:00:00:00:01", colons or dashes, any case; 0 or -EINVAL */
int mac_addr_parse(const char *s, MacAddr *ret);

/** mac_addr_format() - lower case with colons into buf, which is returned */
char *mac_addr_format(const MacAddr *mac, char buf[static MAC_ADDR_TEXT]);

static inline bool mac_addr_equal(const MacAddr *a, const MacAddr *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static inline bool mac_addr_is_set(const MacAddr *mac)
{
    return !mac_addr_equal(mac, &MAC_ADDR_NULL);
}
