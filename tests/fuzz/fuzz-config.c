/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configuration files and tags: any bytes give a configuration or a list of mistakes. What lies
 * behind a line "%%%" is taken as tags, one "key value" a line.
 */

#include "input/config.h"
#include "input/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char separator[] = "\n%%%\n";

static int read_tags(const char *text, size_t n, KeyValueList *ret)
{
    _cleanup_(freep) char *copy = strndup(text, n);
    char *save = NULL;
    int r = copy ? 0 : -1;

    if (!copy)
        return r;
    for (char *line = strtok_r(copy, "\n", &save); line && r == 0; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');

        if (space)
            *space = '\0';
        r = keyvalue_list_append(ret, line, space ? space + 1 : "");
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    _cleanup_keyvalue_list_ KeyValueList tags = KEYVALUE_LIST_NULL;
    _cleanup_(config_freep) Config *config = config_new();
    _cleanup_buf_ Buf errors = BUF_NULL, tag_errors = BUF_NULL;
    const char *text = (const char *)data, *end;
    size_t n_config = n;
    int r;

    end = n > 0 ? memmem(text, n, separator, strlen(separator)) : NULL;
    if (end) {
        n_config = (size_t)(end - text) + 1;
        text = end + strlen(separator);
        (void)read_tags(text, n - (size_t)(text - (const char *)data), &tags);
    }
    if (!config)
        return 0;

    /* Twice, as a drop-in would: what a file may say it may say again. */
    r = config_parse(config, "fuzz", (const char *)data, n_config, &errors);
    assert((r == 0) == (errors.n == 0));
    if (r == 0) {
        r = config_parse(config, "fuzz", (const char *)data, n_config, &errors);
        assert(r == 0);
        (void)config_finish(config, &errors);
    }

    r = tags_apply(&config->defaults, &tags, config->tag_prefix, "instance i-1", &tag_errors);
    assert((r == 0) == (tag_errors.n == 0));
    return 0;
}
