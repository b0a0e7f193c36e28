/* SPDX-License-Identifier: MIT
 *
 * Takes the place of libFuzzer where there is none: gives each of the files that it is called with
 * to the target, as libFuzzer itself does with files. The name of each comes first: of a crash, the
 * last one says which file it was.
 */
#include "fuzz.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)1 << 20)

static bool replay(const char *path)
{
    char *text, *bytes;
    size_t length;

    if (file_read(path, FILE_MAX, &text, &length) < 0) {
        (void)fprintf(stderr, "%s cannot be read\n", path);
        return false;
    }
    (void)fprintf(stderr, "Running: %s\n", path);
    /* Of the exact size, so that a sanitizer sees a step beyond it. */
    bytes = malloc(length);
    if (bytes) {
        memcpy(bytes, text, length);
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, length);
    free(bytes);
    free(text);
    return true;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!replay(argv[i])) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
