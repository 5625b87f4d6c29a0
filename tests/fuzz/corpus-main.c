/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs a fuzzer's entry point once for each file named on the command line, so that every corpus is
 * an ordinary test too, with any compiler.
 */

#include "util/fs.h"
#include <stdio.h>

#define INPUT_MAX ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        _cleanup_(freep) char *data = NULL;
        size_t n;

        if (fs_read_file(argv[i], INPUT_MAX, &data, &n) < 0) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)data, n);
    }
    return argc > 1 ? 0 : 1;
}
