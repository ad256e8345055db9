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
#include <sys/utsname.h>
#include <sys/vfs.h>
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

/* ---- files with secrets, and files that decide what we do ---- */

bool nb__file_has_no_modes(const char *path)
{
    static const uint32_t kinds[] = {0x01021997 /* 9p: WSL2 */,
                                     0x4d44 /* vfat */,
                                     0x2011bab0 /* exfat */,
                                     0x5346544e /* ntfs */,
                                     0x65735546 /* fuse */,
                                     0xff534d42 /* cifs */,
                                     0xfe534d42 /* smb2 */};
    struct statfs about;
    if (statfs(path, &about) != 0)
        return false;
    for (size_t i = 0; i < NB__COUNT_OF(kinds); i++)
        if ((uint32_t)about.f_type == kinds[i])
            return true;
    return false;
}

static nb_err fail_owner(const struct stat *about, const char *path, nb_error *error)
{
    uid_t own = geteuid();
    return nb__fail(error, NB_E_CONFIG, 0,
                    "%.80s: it belongs to user %u, and nightbook runs as user %u; chown %u '%.80s'",
                    path, about->st_uid, own, own, path);
}

static nb_err fail_mode(const struct stat *about, const char *path, const char *what,
                        nb_error *error)
{
    unsigned mode = about->st_mode & 07777U;
    if (nb__file_has_no_modes(path))
        return nb__fail(error, NB_E_CONFIG, 0,
                        "%.100s: others can %s it (mode %04o), and chmod has no effect on its file "
                        "system; move it below your Linux home (~) and chmod 600 it there",
                        path, what, mode);
    return nb__fail(error, NB_E_CONFIG, 0, "%.80s: others can %s it (mode %04o); chmod 600 '%.80s'",
                    path, what, mode, path);
}

/* Whoever can write it says whom we talk to and which command we run. What is no regular file
 * (/dev/null, a pipe) was named by hand. */
static nb_err check_writers(const struct stat *about, const char *path, nb_error *error)
{
    if (!S_ISREG(about->st_mode))
        return NB_OK;
    if (about->st_uid != geteuid() && about->st_uid != 0)
        return fail_owner(about, path, error);
    return about->st_mode & (S_IWGRP | S_IWOTH) ? fail_mode(about, path, "write", error) : NB_OK;
}

static nb_err check_readers(const struct stat *about, const char *path, nb_error *error)
{
    if (!S_ISREG(about->st_mode))
        return nb__fail(error, NB_E_CONFIG, 0, "%.100s: not a regular file", path);
    if (about->st_uid != geteuid())
        return fail_owner(about, path, error);
    return about->st_mode & (S_IRWXG | S_IRWXO) ? fail_mode(about, path, "read", error) : NB_OK;
}

/* What is checked is what is read: one open. */
static nb_err read_checked(int fd, const char *path, size_t size_max, nb__text *text,
                           nb_error *refusal, nb_error *error)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    nb_err err = check_readers(&about, path, refusal != NULL ? refusal : error);
    if (err != NB_OK && refusal != NULL)
        err = check_writers(&about, path, error);
    if (err != NB_OK)
        return err;
    fcntl(fd, F_SETFL, 0); /* a pipe is waited for */
    return read_all(fd, path, size_max, text, error);
}

nb_err nb__file_read_own(const char *path, size_t size_max, nb__text *out, nb_error *refusal,
                         nb_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s", path, strerrordesc_np(errno));
    nb__text text = {0};
    nb_err err = read_checked(fd, path, size_max, &text, refusal, error);
    close(fd);
    if (err == NB_OK) {
        nb__text_fini(out);
        *out = text;
        return NB_OK;
    }
    nb__text_wipe(&text);
    return err;
}

nb_err nb__file_read_secret(const char *path, size_t size_max, nb__text *out, nb_error *error)
{
    return nb__file_read_own(path, size_max, out, NULL, error);
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

/* On disk before it is renamed; or on its way there, so that it is soon. */
static int content_sync(int fd, bool is_awaited)
{
    if (!is_awaited)
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return is_awaited && fsync(fd) != 0 ? errno : 0;
}

static nb_err file_replace(const char *path, nb_span content, unsigned mode, bool is_awaited,
                           nb_error *error)
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
    if (reason == 0 && fchmod(fd, mode) != 0)
        reason = errno;
    if (reason == 0)
        reason = content_sync(fd, is_awaited);
    if (close(fd) != 0 && reason == 0)
        reason = errno;
    if (reason == 0 && rename(beside, path) != 0)
        reason = errno;
    if (reason != 0) {
        unlink(beside);
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: cannot be written: %s", path,
                        strerrordesc_np(reason));
    }
    if (is_awaited)
        directory_sync(path);
    return NB_OK;
}

nb_err nb__file_write(const char *path, nb_span content, unsigned mode, nb_error *error)
{
    return file_replace(path, content, mode, true, error);
}

nb_err nb__file_write_soon(const char *path, nb_span content, unsigned mode, nb_error *error)
{
    return file_replace(path, content, mode, false, error);
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

void nb__host_name(char out[64])
{
    struct utsname about;
    bool is_known = uname(&about) == 0 && about.nodename[0] != '\0';
    snprintf(out, 64, "%.63s", is_known ? about.nodename : "?");
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
