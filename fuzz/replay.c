/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target once over every file of a corpus folder: what the ordinary test run does with
 * it. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t capacity = 1 << 20;
    uint8_t *bytes = malloc(capacity);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, capacity, file);
    fclose(file);
    /* exactly as large as the input, so that a sanitizer sees an over-read */
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    if (bytes == NULL || exact == NULL)
        abort();
    memcpy(exact, bytes, size);
    free(bytes);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 64;
    }
    DIR *folder = opendir(argv[1]);
    if (folder == NULL) {
        perror(argv[1]);
        return 1;
    }
    int file_count = 0, failed_count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed_count += run_file(path);
        file_count++;
    }
    closedir(folder);
    printf("%d files replayed\n", file_count);
    return file_count == 0 || failed_count != 0; /* an empty corpus proves nothing */
}
