/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an export's bytes go: a temporary file beside OUT that gets OUT's name when all of it is on
 * the disk, or stdout. So OUT is never there in part, whatever ends us.
 *
 *     bytes ─▶ (zstd) ─▶ buffer ─▶ OUT.PID.part ─▶ fsync ─▶ rename ─▶ OUT
 *
 * One zstd frame, with a checksum: some readers stop at a frame's end.
 */
#include "inside.h"
#include "journal/journal.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define BUFFER_BYTES ((size_t)512 << 10)
#define ZSTD_LEVEL 3

struct nb__export_out {
    char path[NB__STORE_PATH_MAX], temporary[NB__STORE_PATH_MAX + 32];
    int fd; /* -1: a format makes the file */
    bool is_stdout;
    ZSTD_CCtx *zstd; /* NULL: as it is */
    char *plain;     /* what waits to be compressed */
    size_t plain_bytes;
    char *buffer; /* what waits to be written */
    size_t buffer_bytes;
    uint64_t written_bytes;
};

/* ---- what may stand at OUT ---- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool is_of_recording(const char *path)
{
    int night;
    uint32_t number;
    nb_span name = nb__span(name_of(path));
    return nb__span_is(name, "journal.json") ||
           nb__journal_name_parse(name, &night, &number) != NB__JOURNAL_FILE_NONE;
}

static void directory_of(const char *path, char out[NB__STORE_PATH_MAX])
{
    size_t size = (size_t)(name_of(path) - path);
    if (size == 0)
        snprintf(out, NB__STORE_PATH_MAX, ".");
    else
        snprintf(out, NB__STORE_PATH_MAX, "%.*s", (int)size, path);
}

nb_err nb__export_out_check(const char *path, bool is_forced, nb_error *error)
{
    struct stat about;
    char directory[NB__STORE_PATH_MAX];
    if (strcmp(path, "-") == 0)
        return NB_OK;
    if (strlen(path) >= NB__STORE_PATH_MAX || name_of(path)[0] == '\0')
        return nb__fail(error, NB_E_ARGUMENT, 0, "-o %.100s: a file's name is expected", path);
    if (is_of_recording(path))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "-o %.100s: that is the name of a file of a recording; choose another one",
                        path);
    directory_of(path, directory);
    if (stat(directory, &about) != 0 || !S_ISDIR(about.st_mode))
        return nb__fail(error, NB_E_ARGUMENT, 0, "-o %.100s: there is no directory %.80s", path,
                        directory);
    if (stat(path, &about) != 0 && lstat(path, &about) != 0)
        return NB_OK;
    if (!S_ISREG(about.st_mode) && !S_ISLNK(about.st_mode))
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "-o %.100s: that is no file; `-o -` writes to stdout", path);
    if (!is_forced)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "-o %.100s: it is there already, and is left as it is; --force replaces it",
                        path);
    return NB_OK;
}

/* ---- opening ---- */

static bool ends_in_zst(const char *path)
{
    size_t size = strlen(path);
    return size > 4 && strcmp(path + size - 4, ".zst") == 0;
}

static nb_err make_zstd(nb__export_out *out, nb_error *error)
{
    out->zstd = ZSTD_createCCtx();
    out->plain = malloc(BUFFER_BYTES);
    if (out->zstd == NULL || out->plain == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_checksumFlag, 1);
    /* on the other core where the library can; else in line */
    ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_nbWorkers, 1);
    return NB_OK;
}

static nb_err make_file(nb__export_out *out, nb_error *error)
{
    out->fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* umask decides */
    if (out->fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: cannot be made: %s", out->temporary,
                        strerrordesc_np(errno));
    return NB_OK;
}

nb_err nb__export_out_open(const char *path, bool is_forced, bool is_plain, bool is_made,
                           nb__export_out **result, nb_error *error)
{
    bool is_stdout = strcmp(path, "-") == 0;
    if (nb__export_out_check(path, is_forced, error) != NB_OK)
        return NB_E_ARGUMENT;
    nb__export_out *out = calloc(1, sizeof *out);
    char *buffer = malloc(BUFFER_BYTES);
    if (out == NULL || buffer == NULL) {
        free(out);
        free(buffer);
        return nb__fail(error, NB_E_MEMORY, 0, "memory is exhausted");
    }
    out->buffer = buffer;
    out->fd = -1;
    snprintf(out->path, sizeof out->path, "%s", path);
    snprintf(out->temporary, sizeof out->temporary, "%s.%ld.part", path, (long)getpid());
    out->is_stdout = is_stdout;
    nb_err err = NB_OK;
    if (is_stdout)
        out->fd = STDOUT_FILENO;
    else if (is_made)
        err = make_file(out, error);
    if (err == NB_OK && !is_plain && ends_in_zst(path))
        err = make_zstd(out, error);
    if (err != NB_OK)
        nb__export_out_drop(out);
    else
        *result = out;
    return err;
}

const char *nb__export_out_path(const nb__export_out *out)
{
    return out->temporary;
}

/* ---- writing ---- */

static nb_err fail_write(const nb__export_out *out, int reason, nb_error *error)
{
    if (out->is_stdout && reason == EPIPE)
        return nb__fail(error, NB_E_CLOSED, 0, "the reader of stdout has enough");
    return nb__fail(
        error, NB_E_SYSTEM, 0,
        "%.120s: %s after %llu bytes; nothing is left of it: make room and export again",
        out->is_stdout ? "stdout" : out->path, strerrordesc_np(reason),
        (unsigned long long)out->written_bytes);
}

static nb_err write_all(nb__export_out *out, const char *data, size_t size_bytes, nb_error *error)
{
    while (size_bytes > 0) {
        ssize_t written = write(out->fd, data, size_bytes);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = out->fd, .events = POLLOUT};
            poll(&writable, 1, -1);
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail_write(out, written < 0 ? errno : ENOSPC, error);
        data += written;
        size_bytes -= (size_t)written;
        out->written_bytes += (uint64_t)written;
    }
    return NB_OK;
}

static nb_err flush_buffer(nb__export_out *out, nb_error *error)
{
    size_t size_bytes = out->buffer_bytes;
    out->buffer_bytes = 0;
    return write_all(out, out->buffer, size_bytes, error);
}

/* All that waits through zstd; at the end of it its frame's end too. */
static nb_err compress(nb__export_out *out, bool is_end, nb_error *error)
{
    ZSTD_inBuffer in = {out->plain, out->plain_bytes, 0};
    out->plain_bytes = 0;
    for (;;) {
        ZSTD_outBuffer to = {out->buffer, BUFFER_BYTES, 0};
        size_t left =
            ZSTD_compressStream2(out->zstd, &to, &in, is_end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return nb__fail(error, NB_E_INTERNAL, 0, "zstd: %s", ZSTD_getErrorName(left));
        out->buffer_bytes = to.pos;
        nb_err err = flush_buffer(out, error);
        if (err != NB_OK || (is_end ? left == 0 : in.pos == in.size))
            return err;
    }
}

nb_err nb__export_out_write(nb__export_out *out, nb_span bytes, nb_error *error)
{
    char *to = out->zstd != NULL ? out->plain : out->buffer;
    size_t *held_bytes = out->zstd != NULL ? &out->plain_bytes : &out->buffer_bytes;
    nb_err err = NB_OK;
    while (bytes.size_bytes > 0 && err == NB_OK) {
        size_t room = BUFFER_BYTES - *held_bytes;
        size_t size = bytes.size_bytes < room ? bytes.size_bytes : room;
        memcpy(to + *held_bytes, bytes.data, size);
        *held_bytes += size;
        bytes = (nb_span){bytes.data + size, bytes.size_bytes - size};
        if (*held_bytes == BUFFER_BYTES)
            err = out->zstd != NULL ? compress(out, false, error) : flush_buffer(out, error);
    }
    return err;
}

/* ---- the end ---- */

static void free_out(nb__export_out *out)
{
    if (out->fd >= 0 && !out->is_stdout)
        close(out->fd);
    ZSTD_freeCCtx(out->zstd);
    free(out->plain);
    free(out->buffer);
    free(out);
}

void nb__export_out_drop(nb__export_out *out)
{
    if (out == NULL)
        return;
    if (!out->is_stdout)
        unlink(out->temporary);
    free_out(out);
}

static nb_err sync_file(nb__export_out *out, uint64_t *size_bytes, nb_error *error)
{
    struct stat about;
    if (out->fd < 0)
        out->fd = open(out->temporary, O_RDONLY | O_CLOEXEC);
    if (out->fd < 0 || fsync(out->fd) != 0 || fstat(out->fd, &about) != 0)
        return fail_write(out, errno, error);
    *size_bytes = (uint64_t)about.st_size;
    return NB_OK;
}

/* A file that came meanwhile is not replaced either. */
static nb_err take_name(const nb__export_out *out, bool is_forced, nb_error *error)
{
    unsigned flags = is_forced ? 0 : RENAME_NOREPLACE;
    int result = renameat2(AT_FDCWD, out->temporary, AT_FDCWD, out->path, flags);
    if (result != 0 && errno == EINVAL && !is_forced && access(out->path, F_OK) != 0)
        result = rename(out->temporary, out->path); /* a file system that knows no NOREPLACE */
    if (result != 0 && errno == EEXIST)
        return nb__fail(error, NB_E_ARGUMENT, 0,
                        "-o %.120s: it came while we exported, and is left as it is", out->path);
    if (result != 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: cannot be named so: %s", out->path,
                        strerrordesc_np(errno));
    return NB_OK;
}

nb_err nb__export_out_finish(nb__export_out *out, bool is_forced, uint64_t *size_bytes,
                             nb_error *error)
{
    char directory[NB__STORE_PATH_MAX];
    nb_err err = out->zstd != NULL ? compress(out, true, error) : flush_buffer(out, error);
    *size_bytes = out->written_bytes;
    if (err == NB_OK && !out->is_stdout)
        err = sync_file(out, size_bytes, error);
    if (err == NB_OK && !out->is_stdout)
        err = take_name(out, is_forced, error);
    if (err != NB_OK) {
        nb__export_out_drop(out);
        return err;
    }
    directory_of(out->path, directory);
    if (!out->is_stdout)
        nb__disk_sync_directory(directory, NULL); /* the file is whole either way */
    free_out(out);
    return NB_OK;
}
