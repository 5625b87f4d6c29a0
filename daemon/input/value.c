/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The values that configuration keys take, each read and checked by one function that fits into a
 * table of Key, so that file and tags accept exactly the same and report it in the same words.
 *
 * A function writes its field only when the value is good. What is wrong goes to a buffer as half a
 * sentence ("\"abc\" is not a number"); where, and what is allowed instead, is added by key_assign()
 * from the table.
 */

#include "input/value.h"
#include "input/config.h"
#include "util/log.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* EC2 User Guide, "Tag restrictions": characters, not bytes; 50 tags on a resource, 7 of them ours. */
#define TAG_KEY_MAX   128
#define TAG_VALUE_MAX 256
#define TAGS_MAX      43

#define NETWORK_NAME_MAX 63

static int wrong(Buf *why, const char *format, ...) _printf_(2, 3);

static int wrong(Buf *why, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    return buf_puts(why, text) < 0 ? -ENOMEM : -EINVAL;
}

const Key *key_find(const Key *keys, size_t n_keys, const char *name)
{
    for (size_t i = 0; i < n_keys; i++)
        if (streq(keys[i].name, name))
            return &keys[i];
    return NULL;
}

int key_assign(const Key *key, const char *section, const char *value, void *object, const char *where,
               Buf *errors)
{
    _cleanup_buf_ Buf why = BUF_NULL;
    const char *hint = "";
    int r;

    r = key->set(key, value, (char *)object + key->offset, &why);
    if (r != -EINVAL)
        return r;

    /* inih ends a value at " ;" only, but "#" is what many files know. */
    if (strstr(value, " #"))
        hint = " (a comment behind a value begins with \" ;\")";
    r = buf_printf(errors, "%s: %s.%s: %s; allowed: %s%s\n", where, section, key->name, why.data,
                   key->allowed, hint);
    return r < 0 ? r : -EINVAL;
}

/* Levenshtein distance of two short names; names too long to be a slip count as far away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);

    if (n >= ARRAY_SIZE(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;

    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 1; j <= n; j++) {
            size_t cost = diagonal + (a[i] != b[j - 1]);

            diagonal = row[j];
            cost = MIN(cost, row[j] + 1);
            row[j] = MIN(cost, row[j - 1] + 1);
        }
    }
    return row[n];
}

int key_suggest(const char *wrong_name, const char *const *names, size_t n_names, Buf *errors)
{
    size_t best = SIZE_MAX, nearest = 0;
    int r = 0;

    if (n_names == 0)
        return 0;
    for (size_t i = 0; i < n_names; i++) {
        size_t d = distance(wrong_name, names[i]);

        if (d < best) {
            best = d;
            nearest = i;
        }
    }

    if (best <= 2 || best <= strlen(names[nearest]) / 3)
        r = buf_printf(errors, "; did you mean %s?", names[nearest]);
    for (size_t i = 0; i < n_names && r == 0; i++)
        r = buf_printf(errors, "%s %s", i == 0 ? "; allowed:" : ",", names[i]);
    return r;
}

static int parse_number(const char *value, unsigned long *ret)
{
    char *end;

    if (!isdigit((unsigned char)value[0]) || strlen(value) > 9)
        return -EINVAL;
    *ret = strtoul(value, &end, 10);
    return *end ? -EINVAL : 0;
}

int set_unsigned(const Key *key, const char *value, void *field, Buf *why)
{
    unsigned long number = 0;

    if (parse_number(value, &number) < 0)
        return wrong(why, "\"%.64s\" is not a number", value);
    if (number < key->min || number > key->max)
        return wrong(why, "%lu is out of range", number);

    *(unsigned *)field = (unsigned)number;
    return 0;
}

int set_auto_int(const Key *key, const char *value, void *field, Buf *why)
{
    unsigned number = 0;
    int r;

    if (streq(value, "auto")) {
        *(int *)field = -1;
        return 0;
    }
    r = set_unsigned(key, value, &number, why);
    if (r < 0)
        return r;

    *(int *)field = (int)number;
    return 0;
}

int set_duration(const Key *key, const char *value, void *field, Buf *why)
{
    usec_t usec = 0;
    int r;

    r = time_parse_duration(value, &usec);
    if (r == -EINVAL)
        return wrong(why, "\"%.64s\" is not a duration", value);
    if (r < 0 || usec < key->min || usec > key->max)
        return wrong(why, "\"%.64s\" is out of range", value);

    *(usec_t *)field = usec;
    return 0;
}

/* One of a list of words; its place in the list is the value. */
static int parse_word(const char *value, const char *const *words, size_t n_words, unsigned *ret, Buf *why)
{
    for (size_t i = 0; i < n_words; i++)
        if (streq(value, words[i])) {
            *ret = (unsigned)i;
            return 0;
        }
    return wrong(why, value[0] ? "\"%.64s\" is unknown" : "the value is empty%s", value);
}

int set_bool(const Key *key, const char *value, void *field, Buf *why)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    unsigned word = 0;
    int r;

    (void)key;
    r = parse_word(value, words, ARRAY_SIZE(words), &word, why);
    if (r < 0)
        return r;

    *(bool *)field = word & 1;
    return 0;
}

int set_auto_none(const Key *key, const char *value, void *field, Buf *why)
{
    static const char *const words[] = {"none", "auto"};
    unsigned word = 0;
    int r;

    (void)key;
    r = parse_word(value, words, ARRAY_SIZE(words), &word, why);
    if (r < 0)
        return r;

    *(bool *)field = word;
    return 0;
}

int set_log_level(const Key *key, const char *value, void *field, Buf *why)
{
    (void)key;
    if (log_level_from_string(value, field) < 0)
        return wrong(why, "\"%.64s\" is unknown", value);
    return 0;
}

int set_on_failure(const Key *key, const char *value, void *field, Buf *why)
{
    static const char *const words[] = {[ON_FAILURE_BLOCK] = "block", [ON_FAILURE_CONTINUE] = "continue"};
    unsigned word = 0;
    int r;

    (void)key;
    r = parse_word(value, words, ARRAY_SIZE(words), &word, why);
    if (r < 0)
        return r;

    *(OnFailure *)field = (OnFailure)word;
    return 0;
}

int set_ip_allocation(const Key *key, const char *value, void *field, Buf *why)
{
    static const char *const words[] = {
        [IP_ALLOCATION_DYNAMIC] = "dynamic", [IP_ALLOCATION_SUBNET_START] = "subnet-start"};
    unsigned word = 0;
    int r;

    (void)key;
    r = parse_word(value, words, ARRAY_SIZE(words), &word, why);
    if (r < 0)
        return r;

    *(IpAllocation *)field = (IpAllocation)word;
    return 0;
}

int set_ipv6(const Key *key, const char *value, void *field, Buf *why)
{
    static const char *const words[] = {[IPV6_AUTO] = "auto", [IPV6_YES] = "yes", [IPV6_NO] = "no"};
    unsigned word = 0;
    int r;

    (void)key;
    r = parse_word(value, words, ARRAY_SIZE(words), &word, why);
    if (r < 0)
        return r;

    *(Ipv6Mode *)field = (Ipv6Mode)word;
    return 0;
}

int set_driver(const Key *key, const char *value, void *field, Buf *why)
{
    static const char *const words[] = {"kernel", "vfio-pci", "igb_uio", "uio_pci_generic"};
    unsigned word = 0;
    int r;

    (void)key;
    r = parse_word(value, words, ARRAY_SIZE(words), &word, why);
    return r < 0 ? r : replace_string(field, value);
}

int set_name(const Key *key, const char *value, void *field, Buf *why)
{
    size_t n = strlen(value);

    if (n == 0)
        return wrong(why, "the value is empty");
    if (n < key->min || n > key->max)
        return wrong(why, "\"%.64s\" is too long", value);
    for (const char *p = value; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_./", *p))
            return wrong(why, "\"%.64s\" holds a character that no name has", value);
    return replace_string(field, value);
}

/* Every region ends in "-" and a number, as eu-central-1 and us-gov-west-1 do; a zone has a letter behind. */
static bool region_is_numbered(const char *value, size_t n)
{
    size_t digits = 0;

    while (digits < n && isdigit((unsigned char)value[n - digits - 1]))
        digits++;
    return digits > 0 && n > digits + 1 && value[n - digits - 1] == '-' && value[0] != '-';
}

int set_auto_region(const Key *key, const char *value, void *field, Buf *why)
{
    size_t n = strlen(value);

    (void)key;
    if (streq(value, "auto"))
        return replace_string(field, NULL);
    /* It becomes part of a host name and of the signature's scope. */
    if (n == 0 || n > 32 || value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-")])
        return wrong(why, "\"%.64s\" is not a region", value);
    if (islower((unsigned char)value[n - 1]) && region_is_numbered(value, n - 1))
        return wrong(why, "\"%s\" is a zone, not a region", value);
    if (!region_is_numbered(value, n))
        return wrong(why, "\"%s\" is not a region", value);
    return replace_string(field, value);
}

/* What follows the host of "host:8443" or "[fd00::1]:8443" is nothing, or a port. */
static bool port_is_valid(const char *host, size_t n)
{
    const char *bracket = host[0] == '[' ? memchr(host, ']', n) : NULL;
    const char *rest = bracket ? bracket + 1 : host, *end = host + n;
    unsigned long port = 0;

    if (!bracket)
        rest += strcspn(host, ":/");
    if (rest == end)
        return true;
    if (*rest != ':' || end - rest > 6)
        return false;
    for (const char *p = rest + 1; p < end; p++) {
        if (!isdigit((unsigned char)*p))
            return false;
        port = port * 10 + (unsigned long)(*p - '0');
    }
    return port >= 1 && port <= UINT16_MAX;
}

/* "https://host:port/path". A login is kept out of the messages: they end up in the journal. */
static int check_url(const char *value, bool may_log_in, Buf *why)
{
    const char *host = NULL, *at;
    size_t n;

    if (strncmp(value, "http://", 7) == 0)
        host = value + 7;
    else if (strncmp(value, "https://", 8) == 0)
        host = value + 8;
    if (!host)
        return wrong(why, "\"%.64s\" is not an http or https URL", value);
    for (const char *p = host; *p; p++)
        if (!isgraph((unsigned char)*p))
            return wrong(why, "\"%.64s\" holds a character that no URL has", value);
    if (strpbrk(host, "?#"))
        return wrong(why, "the URL has a query or a fragment");

    n = strcspn(host, "/");
    at = memrchr(host, '@', n);
    if (at && !may_log_in)
        return wrong(why, "the URL names a user");
    if (at) {
        n -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    if (!(isalnum((unsigned char)host[0]) || host[0] == '['))
        return wrong(why, "the URL names no host");
    if (!port_is_valid(host, n))
        return wrong(why, "\"%.*s\" does not end in a port between 1 and 65535", (int)MIN(n, (size_t)64),
                     host);
    return 0;
}

int set_url(const Key *key, const char *value, void *field, Buf *why)
{
    int r;

    (void)key;
    r = check_url(value, false, why);
    return r < 0 ? r : replace_string(field, value);
}

int set_auto_url(const Key *key, const char *value, void *field, Buf *why)
{
    return streq(value, "auto") ? replace_string(field, NULL) : set_url(key, value, field, why);
}

int set_proxy(const Key *key, const char *value, void *field, Buf *why)
{
    int r;

    (void)key;
    if (value[0] == '\0')
        return replace_string(field, NULL);
    r = check_url(value, true, why);
    return r < 0 ? r : replace_string(field, value);
}

int set_empty_path(const Key *key, const char *value, void *field, Buf *why)
{
    (void)key;
    if (value[0] == '\0')
        return replace_string(field, NULL);
    if (value[0] != '/')
        return wrong(why, "\"%.64s\" is not an absolute path", value);
    return replace_string(field, value);
}

int set_tag_prefix(const Key *key, const char *value, void *field, Buf *why)
{
    if (value[0] == '\0')
        return wrong(why, "the value is empty");
    if (strlen(value) > key->max)
        return wrong(why, "\"%.64s\" is too long", value);
    if (strncasecmp(value, "aws:", 4) == 0)
        return wrong(why, "nobody but AWS can set tags that begin with aws:");
    for (const char *p = value; *p; p++)
        if (!isgraph((unsigned char)*p))
            return wrong(why, "\"%.64s\" holds a space or a control character", value);
    return replace_string(field, value);
}

/* What the kernel's dev_valid_name() refuses, and '%', which it expands in a name that is asked for. */
int set_ifname(const Key *key, const char *value, void *field, Buf *why)
{
    size_t n = strlen(value);

    if (n == 0)
        return wrong(why, "the value is empty");
    if (n > key->max)
        return wrong(why, "\"%.64s\" is too long", value);
    if (streq(value, ".") || streq(value, "..") || streq(value, "lo") || streq(value, "all") ||
        streq(value, "default"))
        return wrong(why, "\"%s\" is taken", value);
    for (const char *p = value; *p; p++)
        if (!isgraph((unsigned char)*p) || strchr("/:%", *p))
            return wrong(why, "\"%.64s\" holds a character that no interface name has", value);
    return replace_string(field, value);
}

/* "subnet-0123456789abcdef0". EC2 gives 8 or 17 digits; whether it exists is for EC2 to say. */
static bool id_is_valid(const char *id, const char *prefix)
{
    size_t n = strlen(prefix), digits;

    if (strncmp(id, prefix, n) != 0)
        return false;
    digits = strspn(id + n, "0123456789abcdef");
    return digits >= 1 && digits <= 17 && id[n + digits] == '\0';
}

static int set_ids(const char *value, const char *prefix, StrList *field, Buf *why)
{
    _cleanup_strlist_ StrList list = STRLIST_NULL;
    int r;

    r = strlist_split(value, &list);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n; i++)
        if (!id_is_valid(list.items[i], prefix))
            return wrong(why, "\"%.64s\" is not an id of the form %s0123456789abcdef0", list.items[i],
                         prefix);

    strlist_done(field);
    *field = list;
    list = STRLIST_NULL;
    return 0;
}

int set_subnets(const Key *key, const char *value, void *field, Buf *why)
{
    (void)key;
    return set_ids(value, "subnet-", field, why);
}

int set_groups(const Key *key, const char *value, void *field, Buf *why)
{
    (void)key;
    return set_ids(value, "sg-", field, why);
}

/* Characters of UTF-8 text: every byte but the continuations. */
static size_t utf8_length(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static int check_tag(const KeyValueList *list, const char *key, const char *value, Buf *why)
{
    static const char *const reserved[] = {
        "multus-eks:",             /* how this program knows its own interfaces again */
        "node.k8s.amazonaws.com/", /* how the VPC CNI knows those it may use and delete */
        "kubernetes.io/cluster/",  /* set from the instance's own tags */
    };

    if (key[0] == '\0')
        return wrong(why, "a tag has no key");
    if (utf8_length(key) > TAG_KEY_MAX)
        return wrong(why, "the tag key \"%.64s…\" has more than %d characters", key, TAG_KEY_MAX);
    if (utf8_length(value) > TAG_VALUE_MAX)
        return wrong(why, "the value of tag %.64s has more than %d characters", key, TAG_VALUE_MAX);
    if (strncasecmp(key, "aws:", 4) == 0)
        return wrong(why, "nobody but AWS can set the tag %.64s", key);
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (strncmp(key, reserved[i], strlen(reserved[i])) == 0)
            return wrong(why, "tags that begin with %s are not free to choose", reserved[i]);
    if (keyvalue_list_get(list, key))
        return wrong(why, "the tag %.64s is given twice", key);
    return 0;
}

/* One "key=value" of n bytes; spaces around both parts do not count. */
static int append_tag(KeyValueList *list, const char *text, size_t n, Buf *why)
{
    _cleanup_(freep) char *copy = strndup(text, n);
    char *value, *end;
    int r;

    if (!copy)
        return -ENOMEM;
    value = strchr(copy, '=');
    if (!value)
        return wrong(why, "\"%.64s\" is not of the form key=value", copy);

    for (end = value; end > copy && isspace((unsigned char)end[-1]); end--)
        ;
    *end = '\0';
    for (value++; isspace((unsigned char)*value); value++)
        ;
    for (end = value + strlen(value); end > value && isspace((unsigned char)end[-1]); end--)
        ;
    *end = '\0';

    r = check_tag(list, copy, value, why);
    return r < 0 ? r : keyvalue_list_append(list, copy, value);
}

int set_tags(const Key *key, const char *value, void *field, Buf *why)
{
    _cleanup_keyvalue_list_ KeyValueList list = KEYVALUE_LIST_NULL;
    int r;

    (void)key;
    for (;;) {
        size_t n;

        value += strspn(value, ", \t\r\n");
        if (*value == '\0')
            break;
        n = strcspn(value, ",");
        r = append_tag(&list, value, n, why);
        if (r < 0)
            return r;
        value += n;
    }
    if (list.n > TAGS_MAX)
        return wrong(why, "%zu tags are too many", list.n);

    keyvalue_list_done(field);
    *(KeyValueList *)field = list;
    list = KEYVALUE_LIST_NULL;
    return 0;
}

bool network_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t n = strspn(name, allowed);

    return n >= 1 && n <= NETWORK_NAME_MAX && name[n] == '\0';
}
