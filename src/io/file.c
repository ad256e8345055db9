/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, the places they are in, and random bytes from the kernel. */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

static nb_err read_all(int fd, const char *name, size_t size_max, nb__text *text, nb_error *error)
{
    for (;;) {
        char *to = nb__text_reserve(text, CHUNK_BYTES);
        if (to == NULL)
            return nb__fail(error, NB_E_MEMORY, 0, "%.100s: memory is exhausted", name);
        ssize_t size = read(fd, to, CHUNK_BYTES);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", name, strerrordesc_np(errno));
        text->size_bytes += (size_t)size;
        text->data[text->size_bytes] = '\0';
        if (size == 0)
            return NB_OK;
        if (text->size_bytes > size_max)
            return nb__fail(error, NB_E_LIMIT, size_max, "%.100s: more than %zu bytes", name,
                            size_max);
    }
}

nb_err nb__file_read(const char *path, size_t size_max, nb__text *out, nb_error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    nb__text text = {0};
    nb_err err = read_all(fd, is_stdin ? "standard input" : path, size_max, &text, error);
    if (!is_stdin)
        close(fd);
    if (err != NB_OK) {
        nb__text_fini(&text);
        return err;
    }
    nb__text_fini(out);
    *out = text;
    return NB_OK;
}

/* ---- a file with secrets ---- */

static nb_err secret_check(int fd, const char *path, nb_error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    if (!S_ISREG(about.st_mode))
        return nb__fail(error, NB_E_CONFIG, 0, "%.100s: not a regular file", path);
    if (about.st_uid != geteuid())
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.80s: it belongs to user %u, and nightbook runs as user %u; chown %u "
                        "'%.80s'",
                        path, about.st_uid, geteuid(), geteuid(), path);
    if (about.st_mode & (S_IRWXG | S_IRWXO))
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.80s: others can read it (mode %04o); chmod 600 '%.80s'", path,
                        about.st_mode & 07777U, path);
    return NB_OK;
}

nb_err nb__file_read_secret(const char *path, size_t size_max, nb__text *out, nb_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    nb__text text = {0};
    nb_err err = secret_check(fd, path, error);
    if (err == NB_OK)
        err = read_all(fd, path, size_max, &text, error);
    close(fd);
    if (err == NB_OK) {
        nb__text_fini(out);
        *out = text;
        return NB_OK;
    }
    if (text.data != NULL)
        explicit_bzero(text.data, text.capacity_bytes);
    nb__text_fini(&text);
    return err;
}

/* ---- writing ---- */

/* @return 0 or an errno. */
static int write_all(int fd, nb_span content)
{
    while (content.size_bytes > 0) {
        ssize_t size = write(fd, content.data, content.size_bytes);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return errno;
        content.data += size;
        content.size_bytes -= (size_t)size;
    }
    return 0;
}

/* A rename is lasting when its directory is. A file system that cannot sync one is not our loss. */
static void directory_sync(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int size = slash == NULL ? 0 : (int)(slash - path) + 1;
    snprintf(directory, sizeof directory, "%.*s", slash == NULL ? 1 : size,
             slash == NULL ? "." : path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

nb_err nb__file_write(const char *path, nb_span content, unsigned mode, nb_error *error)
{
    char beside[PATH_MAX];
    int size = snprintf(beside, sizeof beside, "%s.new-XXXXXX", path);
    if (size >= (int)sizeof beside)
        return nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", path);
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: cannot be written: %s", path,
                        strerrordesc_np(errno));
    int reason = write_all(fd, content);
    if (reason == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        reason = errno;
    if (close(fd) != 0 && reason == 0)
        reason = errno;
    if (reason == 0 && rename(beside, path) != 0)
        reason = errno;
    if (reason != 0) {
        unlink(beside);
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: cannot be written: %s", path,
                        strerrordesc_np(reason));
    }
    directory_sync(path);
    return NB_OK;
}

/* ---- places ---- */

nb_err nb__directory_make(const char *path, nb_error *error)
{
    char part[PATH_MAX];
    struct stat about;
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part)
        return nb__fail(error, NB_E_ARGUMENT, 0, "'%.100s' is no path of a directory", path);
    for (size_t i = 1; i <= size; i++) {
        if ((path[i] != '/' && path[i] != '\0') || path[i - 1] == '/')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0700) == 0 || errno == EEXIST)
            continue;
        int reason = errno;
        if (stat(part, &about) == 0 && S_ISDIR(about.st_mode)) /* EROFS, EACCES: it is there */
            continue;
        return nb__fail(error, NB_E_SYSTEM, 0, "%.150s: cannot be made: %s", part,
                        strerrordesc_np(reason));
    }
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return nb__fail(error, NB_E_SYSTEM, 0, "%.150s: is no directory", path);
    return NB_OK;
}

bool nb__xdg_path(const char *what, char *out, size_t capacity_bytes)
{
    static const struct {
        const char *what, *variable, *under_home;
    } places[] = {
        {"config", "XDG_CONFIG_HOME", ".config"},
        {"state", "XDG_STATE_HOME", ".local/state"},
        {"data", "XDG_DATA_HOME", ".local/share"},
    };
    for (size_t i = 0; i < NB__COUNT_OF(places); i++) {
        if (strcmp(places[i].what, what) != 0)
            continue;
        const char *base = getenv(places[i].variable), *home = getenv("HOME");
        int size = -1;
        if (base != NULL && base[0] == '/') /* the specification ignores relative ones */
            size = snprintf(out, capacity_bytes, "%s/nightbook", base);
        else if (home != NULL && home[0] == '/')
            size = snprintf(out, capacity_bytes, "%s/%s/nightbook", home, places[i].under_home);
        return size > 0 && (size_t)size < capacity_bytes;
    }
    return false;
}

/* ---- random bytes ---- */

void nb__random_bytes(void *out, size_t size_bytes)
{
    char *at = out;
    while (size_bytes > 0) {
        ssize_t size = getrandom(at, size_bytes, 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            fputs("nightbook: io: the kernel gives no random bytes\n", stderr);
            abort();
        }
        at += size;
        size_bytes -= (size_t)size;
    }
}
