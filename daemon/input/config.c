/* SPDX-License-Identifier: Apache-2.0 */

/*
 * /etc/multus-eks.conf: the built-in defaults, the file, its drop-ins, each laid over what was there.
 *
 * inih takes the lines apart, and stays inside this file. What it does in silence is caught in the
 * function that feeds it its lines (reader_next()), because how it was built decides what it does:
 *  - a line longer than its buffer (200 bytes as packaged) reaches the handler cut off;
 *  - a section's name is cut at 49 characters, text behind its "]" is dropped, an empty section is
 *    never told of, and a "[x" without "]" leaves the keys below in the section above;
 *  - an indented line continues the value above it, be it meant as a key or as a section;
 *  - the handler is not told line numbers, and parsing may stop at the first error.
 * So sections are read here and inih never sees them, nor indentation that continues nothing; the
 * handler takes line and section from the parser. All mistakes of a file are collected; the handler never
 * tells inih of one.
 *
 * A key is applied when the next one begins, because indented lines may still add to a list.
 */

#include "input/config.h"
#include "input/network-keys.h"
#include "input/value.h"
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

typedef struct Parser {
    Config *config;
    const char *name; /* of the file */
    Buf *errors;
    int r; /* -ENOMEM ends everything; mistakes do not */
    bool bad;

    const char *text, *end;
    unsigned line;
    bool continuation; /* the line that inih works on began with a space, behind a key */
    bool have_key;     /* inih would take an indented line for a continuation */

    char section[NETWORK_SECTION_MAX]; /* "" outside of any, or below a wrong one */
    bool section_bad;                  /* complained of already, as are its keys */
    ptrdiff_t network;                 /* of config->networks, or -1 */
    unsigned seen[KEYS_MAX];           /* by key: the line where this section set it */
    StrList sections;                  /* of this file */

    char *key; /* read, not applied yet */
    Buf value;
    unsigned key_line;
} Parser;

#define FIELD(_name) .name = #_name, .offset = offsetof(Config, _name)

static const Key daemon_keys[] = {
    {FIELD(log_level), .set = set_log_level, .allowed = "debug, info, notice, warning, err"},
    {FIELD(on_failure), .set = set_on_failure, .allowed = "block, continue"},
    {FIELD(attach_timeout), .set = set_duration, .min = USEC_PER_SEC, .max = USEC_PER_HOUR,
     .allowed = "1s to 1h, such as 150s"},
    {FIELD(boot_timeout), .set = set_duration, .min = USEC_PER_SEC, .max = USEC_PER_DAY,
     .allowed = "1s to 1d, such as 5min"},
    {FIELD(lifecycle_hook), .set = set_name, .min = 1, .max = 255,
     .allowed = "auto, none, or the name of a lifecycle hook"},
    {FIELD(max_pods), .set = set_auto_none, .allowed = "auto, none"},
    {FIELD(device_plugin), .set = set_auto_none, .allowed = "auto, none"},
    {FIELD(sweep_leaked), .set = set_bool, .allowed = "yes, no"},
};

static const Key aws_keys[] = {
    {FIELD(region), .set = set_auto_region, .allowed = "auto, or a region such as eu-central-1"},
    {FIELD(imds_endpoint), .set = set_url, .allowed = "a URL such as http://169.254.169.254"},
    {FIELD(ec2_endpoint), .set = set_auto_url, .allowed = "auto, or a URL"},
    {FIELD(autoscaling_endpoint), .set = set_auto_url, .allowed = "auto, or a URL"},
    {FIELD(ca_file), .set = set_empty_path, .allowed = "an absolute path, or nothing"},
    {FIELD(request_timeout), .set = set_duration, .min = 100 * USEC_PER_MSEC, .max = 10 * USEC_PER_MINUTE,
     .allowed = "100ms to 10min, such as 10s"},
    {FIELD(proxy), .set = set_proxy, .allowed = "a URL such as http://proxy.example:3128, or nothing"},
};

static const Key discovery_keys[] = {
    {FIELD(tags), .set = set_bool, .allowed = "yes, no"},
    {FIELD(tag_prefix), .set = set_tag_prefix, .max = 64,
     .allowed = "the beginning of a tag key, at most 64 characters, such as multus-eks:"},
};

static const Key registration_keys[] = {
    {FIELD(socket_group), .set = set_name, .min = 1, .max = 32, .allowed = "the name of a group"},
    {FIELD(allow_reassign), .set = set_bool, .allowed = "yes, no"},
    {FIELD(watch), .set = set_bool, .allowed = "yes, no"},
    {FIELD(release_cooldown), .set = set_duration, .max = USEC_PER_DAY, .allowed = "0 to 1d, such as 30s"},
    {FIELD(stale_grace), .set = set_duration, .max = USEC_PER_DAY, .allowed = "0 to 1d, such as 10min"},
};

static const struct {
    const char *name;
    const Key *keys;
    size_t n_keys;
} sections[] = {
    {"daemon", daemon_keys, ARRAY_SIZE(daemon_keys)},
    {"aws", aws_keys, ARRAY_SIZE(aws_keys)},
    {"discovery", discovery_keys, ARRAY_SIZE(discovery_keys)},
    {"registration", registration_keys, ARRAY_SIZE(registration_keys)},
};

Config *config_new(void)
{
    Config *config = calloc(1, sizeof(*config));

    if (!config)
        return NULL;
    config->log_level = LOG_INFO;
    config->attach_timeout = 150 * USEC_PER_SEC;
    config->boot_timeout = 5 * USEC_PER_MINUTE;
    config->lifecycle_hook = strdup("auto");
    config->max_pods = true;
    config->device_plugin = true;
    config->sweep_leaked = true;
    config->imds_endpoint = strdup("http://169.254.169.254");
    config->request_timeout = 10 * USEC_PER_SEC;
    config->tags = true;
    config->tag_prefix = strdup("multus-eks:");
    config->socket_group = strdup("multus-eks");
    config->allow_reassign = true;
    config->watch = true;
    config->release_cooldown = 30 * USEC_PER_SEC;
    config->stale_grace = 10 * USEC_PER_MINUTE;

    if (network_config_init(&config->defaults) < 0 || !config->lifecycle_hook || !config->imds_endpoint ||
        !config->tag_prefix || !config->socket_group)
        return config_free(config);
    return config;
}

Config *config_free(Config *config)
{
    if (!config)
        return NULL;
    free(config->lifecycle_hook);
    free(config->region);
    free(config->imds_endpoint);
    free(config->ec2_endpoint);
    free(config->autoscaling_endpoint);
    free(config->ca_file);
    free(config->proxy);
    free(config->tag_prefix);
    network_config_done(&config->defaults);
    for (size_t i = 0; i < config->n_networks; i++)
        network_config_done(&config->networks[i]);
    free(config->networks);
    free(config->socket_group);
    keyvalue_list_done(&config->places);
    return mfree(config);
}

static void complain(Parser *parser, unsigned line, const char *format, ...) _printf_(3, 4);

/* One line in the list of mistakes. */
static void complain(Parser *parser, unsigned line, const char *format, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    parser->bad = true;
    if (buf_printf(parser->errors, "%s:%u: %s\n", parser->name, line, text) < 0)
        parser->r = -ENOMEM;
}

static NetworkConfig *parser_network(const Parser *parser)
{
    return parser->network >= 0 ? &parser->config->networks[parser->network] : &parser->config->defaults;
}

/* The table of the section we are in, and the object that its fields are of. */
static const Key *parser_keys(const Parser *parser, size_t *ret_n_keys, void **ret_object)
{
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        if (streq(parser->section, sections[i].name)) {
            *ret_n_keys = sections[i].n_keys;
            *ret_object = parser->config;
            return sections[i].keys;
        }

    *ret_n_keys = n_network_keys;
    *ret_object = parser_network(parser);
    return network_keys;
}

static int report_unknown_key(Parser *parser, const Key *keys, size_t n_keys)
{
    const char *names[KEYS_MAX];
    int r;

    for (size_t i = 0; i < n_keys; i++)
        names[i] = keys[i].name;
    r = buf_printf(parser->errors, "%s:%u: %s.%.64s: unknown key", parser->name, parser->key_line,
                   parser->section, parser->key);
    if (r == 0)
        r = key_suggest(parser->key, names, n_keys, parser->errors);
    if (r == 0)
        r = buf_putc(parser->errors, '\n');
    return r < 0 ? r : -ENOENT;
}

/* Whether this section of this file had the key already; later wins would hide one of the two. */
static bool key_is_repeated(Parser *parser, const Key *key, size_t i)
{
    if (parser->seen[i] > 0) {
        complain(parser, parser->key_line, "%s.%s: given in line %u already; allowed: once in a section",
                 parser->section, key->name, parser->seen[i]);
        return true;
    }
    parser->seen[i] = parser->key_line;
    return false;
}

/*
 * Two keys, maybe of two files, may turn out not to go together: then it is told where they are. A network
 * remembers that itself.
 */
static int parser_note_place(Parser *parser, const char *where)
{
    char name[NETWORK_SECTION_MAX + 80];

    (void)snprintf(name, sizeof(name), "%s.%.64s", parser->section, parser->key);
    return keyvalue_list_set(&parser->config->places, name, where);
}

/* Apply the key that was read last, now that its value is complete. */
static void parser_flush(Parser *parser)
{
    _cleanup_(freep) char *value = NULL;
    char where[PATH_MAX + 16];
    const Key *keys, *key;
    size_t n_keys;
    void *object;
    int r;

    if (!parser->key || parser->r < 0)
        return;
    value = buf_take(&parser->value);
    if (!value) {
        parser->r = -ENOMEM;
        return;
    }

    (void)snprintf(where, sizeof(where), "%s:%u", parser->name, parser->key_line);
    keys = parser_keys(parser, &n_keys, &object);
    key = key_find(keys, n_keys, parser->key);
    if (key && key_is_repeated(parser, key, (size_t)(key - keys)))
        r = 0;
    else if (keys == network_keys)
        r = network_config_set(object, parser->key, value, where, parser->errors);
    else if (key)
        r = key_assign(key, parser->section, value, object, where, parser->errors);
    else
        r = report_unknown_key(parser, keys, n_keys);

    if (r == 0 && keys != network_keys)
        r = parser_note_place(parser, where);
    if (r == -ENOMEM)
        parser->r = r;
    else if (r < 0)
        parser->bad = true;
    parser->key = mfree(parser->key);
}

/* The value ends where white space and ";" begin; this build of inih may not look in continued lines. */
static void strip_comment(char *value)
{
    size_t n;

    for (char *p = value; *p; p++)
        if (*p == ';' && (p == value || isspace((unsigned char)p[-1]))) {
            *p = '\0';
            break;
        }
    for (n = strlen(value); n > 0 && isspace((unsigned char)value[n - 1]); n--)
        value[n - 1] = '\0';
}

static void parser_on_continuation(Parser *parser, const char *text)
{
    _cleanup_(freep) char *value = strdup(text);
    size_t n_keys, n;
    const Key *keys, *key;
    void *object;

    if (!value) {
        parser->r = -ENOMEM;
        return;
    }
    strip_comment(value);
    n = strcspn(value, " \t=");
    keys = parser_keys(parser, &n_keys, &object);
    key = parser->key ? key_find(keys, n_keys, parser->key) : NULL;
    if (!key)
        return; /* of an unknown key, which is complained of when it is applied */

    for (size_t i = 0; i < n_keys; i++)
        if (strlen(keys[i].name) == n && strncmp(keys[i].name, value, n) == 0 && strchr(value, '=')) {
            complain(parser, parser->line,
                     "%s.%s: indented, so it would continue %s; allowed: no indentation", parser->section,
                     keys[i].name, key->name);
            return;
        }
    if (!key->list)
        complain(parser, parser->line,
                 "%s.%s: goes on in an indented line; allowed: one line, and no indentation of keys",
                 parser->section, key->name);
    else if (buf_printf(&parser->value, ", %s", value) < 0)
        parser->r = -ENOMEM;
}

/* Called by inih for each key and each continued line. Always "handled": see the head of this file. */
static int parser_on_key(void *userdata, const char *section, const char *name, const char *value)
{
    Parser *parser = userdata;

    (void)section;
    if (parser->r < 0)
        return 1;
    if (parser->continuation) {
        parser_on_continuation(parser, value);
        return 1;
    }

    parser_flush(parser);
    buf_reset(&parser->value);
    parser->key_line = parser->line;
    if (replace_string(&parser->key, name) < 0 || buf_puts(&parser->value, value) < 0)
        parser->r = -ENOMEM;
    return 1;
}

static ptrdiff_t find_network(const Config *config, const char *name)
{
    for (size_t i = 0; i < config->n_networks; i++)
        if (streq(config->networks[i].name, name))
            return (ptrdiff_t)i;
    return -1;
}

static int set_source(NetworkConfig *network, const char *file, unsigned line)
{
    char where[PATH_MAX + 16];

    (void)snprintf(where, sizeof(where), "%s:%u", file, line);
    return replace_string(&network->source, where);
}

static int add_network(Config *config, const char *name, const char *file, unsigned line)
{
    NetworkConfig network, *networks;
    int r;

    networks = reallocarray(config->networks, config->n_networks + 1, sizeof(*networks));
    if (!networks)
        return -ENOMEM;
    config->networks = networks;

    r = network_config_init(&network);
    if (r < 0)
        return r;
    if (replace_string(&network.name, name) < 0 || set_source(&network, file, line) < 0) {
        network_config_done(&network);
        return -ENOMEM;
    }

    networks[config->n_networks++] = network;
    return 0;
}

/* [network NAME]: a new one, or one of an earlier file whose keys this file overrides. */
static bool parser_enter_network(Parser *parser, const char *name)
{
    Config *config = parser->config;
    int r;

    if (!network_name_is_valid(name)) {
        complain(parser, parser->line,
                 "network \"%.80s\": not a name; allowed: 1 to 63 letters, digits, '-', '_', '.'", name);
        return false;
    }
    parser->network = find_network(config, name);
    if (parser->network >= 0)
        return true;
    if (config->n_networks == CONFIG_NETWORK_MAX) {
        complain(parser, parser->line, "network %s: one too many; allowed: %d networks", name,
                 CONFIG_NETWORK_MAX);
        return false;
    }

    r = add_network(config, name, parser->name, parser->line);
    if (r < 0) {
        parser->r = r;
        return false;
    }
    parser->network = (ptrdiff_t)config->n_networks - 1;
    return true;
}

static bool section_is_known(Parser *parser, const char *name)
{
    const char *names[ARRAY_SIZE(sections) + 2];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        names[n++] = sections[i].name;
    names[n++] = "network";
    names[n++] = "network NAME";
    for (size_t i = 0; i + 1 < n; i++)
        if (streq(name, names[i]))
            return true;

    parser->bad = true;
    if (buf_printf(parser->errors, "%s:%u: [%.80s]: unknown section", parser->name, parser->line, name) < 0 ||
        key_suggest(name, names, n, parser->errors) < 0 || buf_putc(parser->errors, '\n') < 0)
        parser->r = -ENOMEM;
    return false;
}

/* The name between the brackets, with one space where white space was; false: complained of. */
static bool parse_header(Parser *parser, const char *line, size_t n, char ret[static 128])
{
    const char *close = memchr(line, ']', n), *rest;
    size_t length = 0;

    if (!close) {
        complain(parser, parser->line, "[: no \"]\" behind the section's name; allowed: [name]");
        return false;
    }
    for (rest = close + 1; rest < line + n && isspace((unsigned char)*rest); rest++)
        ;
    if (rest < line + n && *rest != ';' && *rest != '#') {
        complain(parser, parser->line, "[%.*s]: text behind it; allowed: a line of its own",
                 (int)MIN(close - line - 1, 80), line + 1);
        return false;
    }

    for (const char *p = line + 1; p < close && length < 126; p++) {
        bool space = isspace((unsigned char)*p);

        if (!space || (length > 0 && ret[length - 1] != ' '))
            ret[length++] = space ? ' ' : *p;
    }
    if (length > 0 && ret[length - 1] == ' ')
        length--;
    ret[length] = '\0';
    return true;
}

static void parser_enter_section(Parser *parser, const char *line, size_t n)
{
    char name[128];

    parser_flush(parser);
    memset(parser->seen, 0, sizeof(parser->seen));
    parser->have_key = false;
    parser->section[0] = '\0';
    parser->section_bad = true;
    parser->network = -1;

    if (!parse_header(parser, line, n, name))
        return;
    if (strlen(name) < NETWORK_SECTION_MAX && strlist_contains(&parser->sections, name)) {
        complain(parser, parser->line, "[%s]: the second one in this file; allowed: one", name);
        return;
    }
    if (strlist_append(&parser->sections, name) < 0) {
        parser->r = -ENOMEM;
        return;
    }
    if (strncmp(name, "network ", 8) == 0 ? !parser_enter_network(parser, name + 8)
                                          : !section_is_known(parser, name))
        return;

    (void)snprintf(parser->section, sizeof(parser->section), "%.79s", name);
    parser->section_bad = false;
    if (streq(name, "network"))
        parser->r = set_source(&parser->config->defaults, parser->name, parser->line);
}

/* Whether inih may see this line of a key; else it was complained of. */
static bool parser_accept_key(Parser *parser, const char *line, size_t n)
{
    size_t i;

    if (parser->section_bad)
        return false;
    for (i = 0; i < n && line[i] != '=' && line[i] != ':'; i++)
        if (line[i] == ';' && i > 0 && isspace((unsigned char)line[i - 1]))
            i = n - 1;
    if (i >= n || line[i] == ':') {
        complain(parser, parser->line, "\"%.*s\": no \"=\"; allowed: key = value", (int)MIN(n, (size_t)60),
                 line);
        return false;
    }
    while (i > 0 && isspace((unsigned char)line[i - 1]))
        i--;
    if (parser->section[0] == '\0') {
        complain(parser, parser->line, "%.*s: outside of any section; allowed: below a [section]",
                 (int)MIN(i, (size_t)60), line);
        return false;
    }
    return true;
}

/* Look at a line before inih does; true: as it is, false: not at all. */
static bool parser_on_line(Parser *parser, const char *line, size_t n)
{
    size_t indent = 0;
    bool accepted;

    parser->continuation = false;
    while (indent < n && isspace((unsigned char)line[indent]))
        indent++;
    if (indent == n || line[indent] == ';' || line[indent] == '#')
        return true;
    if (indent > 0 && parser->have_key) {
        parser->continuation = true;
        return true;
    }
    if (line[indent] == '[') {
        parser_enter_section(parser, line + indent, n - indent);
        return false;
    }

    accepted = parser_accept_key(parser, line + indent, n - indent);
    parser->have_key = accepted;
    return accepted;
}

/* inih's ini_reader, which works like fgets(): the next line, or NULL at the end. */
static char *reader_next(char *line, int size, void *stream)
{
    Parser *parser = stream;
    const char *start = parser->text, *end;
    size_t n;

    assert(size > 2);
    if (parser->r < 0 || start == parser->end)
        return NULL;
    parser->line++;
    end = memchr(start, '\n', (size_t)(parser->end - start));
    parser->text = end ? end + 1 : parser->end;
    if (!end)
        end = parser->end;
    if (end > start && end[-1] == '\r')
        end--;
    n = (size_t)(end - start);

    /* Room for the newline, without which inih would think that the line goes on, and the NUL. */
    if (n + 2 > (size_t)size) {
        complain(parser, parser->line,
                 "the line is %zu bytes long; allowed: %d (lists may go on in indented lines)", n, size - 2);
        n = 0;
    } else if (!parser_on_line(parser, start, n)) {
        n = 0;
    }
    for (; !parser->continuation && n > 0 && isspace((unsigned char)*start); n--)
        start++;
    memcpy(line, start, n);
    line[n] = '\n';
    line[n + 1] = '\0';
    return line;
}

/* Text that no line can be taken from: UTF-16, a disk image. */
static bool text_is_binary(Parser *parser, const char *text, size_t n)
{
    const char *nul = memchr(text, '\0', n);
    unsigned line = 1;

    if (!nul)
        return false;
    for (const char *p = text; p < nul; p++)
        line += *p == '\n';
    complain(parser, line, "the file holds NUL bytes; allowed: UTF-8 text");
    return true;
}

int config_parse(Config *config, const char *name, const char *text, size_t n, Buf *errors)
{
    static const char bom[] = "\xef\xbb\xbf";
    Parser parser = {
        .config = config, .name = name, .errors = errors, .text = text, .end = text + n, .network = -1};
    int r = 0;

    if (n >= 3 && memcmp(text, bom, 3) == 0)
        parser.text += 3;
    if (!text_is_binary(&parser, text, n)) {
        r = ini_parse_stream(reader_next, &parser, parser_on_key, &parser);
        parser_flush(&parser);
    }
    /* What inih alone objected to, should its rules and ours ever differ. */
    if (r > 0 && !parser.bad && parser.r == 0)
        complain(&parser, (unsigned)r, "cannot be understood; allowed: key = value");

    free(parser.key);
    buf_done(&parser.value);
    strlist_done(&parser.sections);
    if (parser.r < 0 || r == -2)
        return -ENOMEM;
    return parser.bad ? -EINVAL : 0;
}
