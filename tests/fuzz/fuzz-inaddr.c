/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses, prefixes, MAC addresses, durations and times: what is accepted survives being written again. */

#include "util/inaddr.h"
#include "util/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_prefix(const char *text)
{
    char written[IN_PREFIX_TEXT];
    InPrefix prefix, again;
    InAddr first, last;

    if (in_prefix_parse(text, &prefix) < 0)
        return;
    if (in_prefix_parse(in_prefix_format(&prefix, written), &again) < 0 || again.length != prefix.length ||
        !in_addr_equal(&again.address, &prefix.address))
        abort();
    first = in_prefix_first(&prefix);
    last = in_prefix_last(&prefix);
    if (!in_prefix_contains(&prefix, &first) || !in_prefix_contains(&prefix, &last) ||
        in_addr_compare(&first, &last) > 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    _cleanup_(freep) char *text = strndup((const char *)data, n);
    char written[IN_ADDR_TEXT], mac_written[MAC_ADDR_TEXT];
    InAddr address, again;
    MacAddr mac, mac_again;
    usec_t usec;

    if (!text)
        return 0;
    if (in_addr_parse(text, &address) == 0 &&
        (in_addr_parse(in_addr_format(&address, written), &again) < 0 || !in_addr_equal(&address, &again)))
        abort();
    if (mac_addr_parse(text, &mac) == 0 &&
        (mac_addr_parse(mac_addr_format(&mac, mac_written), &mac_again) < 0 ||
         !mac_addr_equal(&mac, &mac_again)))
        abort();
    check_prefix(text);
    (void)time_parse_duration(text, &usec);
    (void)time_parse_iso8601(text, &usec);
    return 0;
}
