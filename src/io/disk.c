/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are written and read in parts, directories, and the lock of one.
 *
 * Every refusal names the path or the step, and the system's reason; what the caller decides by
 * (a full disk, a lost permission) it gets as errno too. Nothing here is tried twice but what a
 * signal interrupted.
 */
#include "io/io.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILE_MODE 0600
#define LOCK_TRIES 8
#define PID_BYTES 12 /* "      12345\n" */

static nb_err fail_at(const char *path, const char *what, int code, int *reason, nb_error *error)
{
    if (reason != NULL)
        *reason = code;
    return nb__fail(error, NB_E_SYSTEM, 0, "%.100s: %s: %s", path, what, strerrordesc_np(code));
}

static nb_err fail_fd(const char *what, int code, int *reason, nb_error *error)
{
    if (reason != NULL)
        *reason = code;
    return nb__fail(error, NB_E_SYSTEM, 0, "%s: %s", what, strerrordesc_np(code));
}

/* ---- files ---- */

nb_err nb__disk_create(const char *path, int *fd, int *reason, nb_error *error)
{
    int made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, FILE_MODE);
    if (made < 0)
        return fail_at(path, "cannot be made", errno, reason, error);
    (void)flock(made, LOCK_EX | LOCK_NB); /* for nb__disk_is_held(), where there are locks */
    *fd = made;
    return NB_OK;
}

nb_err nb__disk_open(const char *path, int *fd, uint64_t *size_bytes, nb_error *error)
{
    struct stat about;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us up */
    if (opened < 0)
        return errno == ENOENT
                   ? nb__fail(error, NB_E_NOT_FOUND, 0, "%.120s: there is no such file", path)
                   : fail_at(path, "cannot be opened", errno, NULL, error);
    if (fstat(opened, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(opened);
        return nb__fail(error, NB_E_SYSTEM, 0, "%.120s: it is no file", path);
    }
    *fd = opened;
    *size_bytes = (uint64_t)about.st_size;
    return NB_OK;
}

void nb__disk_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

nb_err nb__disk_write(int fd, nb_span bytes, size_t *written_bytes, int *reason, nb_error *error)
{
    *written_bytes = 0;
    while (*written_bytes < bytes.size_bytes) {
        ssize_t size = write(fd, bytes.data + *written_bytes, bytes.size_bytes - *written_bytes);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return fail_fd("cannot be written", size < 0 ? errno : EIO, reason, error);
        *written_bytes += (size_t)size;
    }
    return NB_OK;
}

nb_err nb__disk_truncate(int fd, uint64_t size_bytes, nb_error *error)
{
    while (ftruncate(fd, (off_t)size_bytes) != 0)
        if (errno != EINTR)
            return fail_fd("cannot be cut", errno, NULL, error);
    return NB_OK;
}

nb_err nb__disk_sync(int fd, int *reason, nb_error *error)
{
    while (fdatasync(fd) != 0)
        if (errno != EINTR)
            return fail_fd("does not reach the disk", errno, reason, error);
    return NB_OK;
}

nb_err nb__disk_read_at(int fd, uint64_t offset_bytes, void *out, size_t size_bytes,
                        size_t *read_bytes, nb_error *error)
{
    *read_bytes = 0;
    while (*read_bytes < size_bytes) {
        ssize_t size = pread(fd, (char *)out + *read_bytes, size_bytes - *read_bytes,
                             (off_t)(offset_bytes + *read_bytes));
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return fail_fd("cannot be read", errno, NULL, error);
        if (size == 0)
            break;
        *read_bytes += (size_t)size;
    }
    return NB_OK;
}

nb_err nb__disk_rename(const char *from, const char *to, nb_error *error)
{
    return rename(from, to) == 0 ? NB_OK : fail_at(from, "cannot be renamed", errno, NULL, error);
}

nb_err nb__disk_remove(const char *path, nb_error *error)
{
    return remove(path) == 0 || errno == ENOENT
               ? NB_OK
               : fail_at(path, "cannot be removed", errno, NULL, error);
}

/* A file system that cannot sync a directory (EINVAL) keeps it in order itself. */
nb_err nb__disk_sync_directory(const char *path, nb_error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_at(path, "cannot be opened", errno, NULL, error);
    int code = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return code == 0 ? NB_OK : fail_at(path, "does not reach the disk", code, NULL, error);
}

/* ---- what lies there ---- */

static nb__disk_entry entry_of(const char *name, const struct stat *about)
{
    return (nb__disk_entry){name, S_ISDIR(about->st_mode),
                            S_ISREG(about->st_mode) ? (uint64_t)about->st_size : 0,
                            (int64_t)about->st_mtim.tv_sec * NB__NS_PER_S + about->st_mtim.tv_nsec};
}

nb_err nb__disk_list(const char *path, void (*entry)(void *self, const nb__disk_entry *entry),
                     void *self, nb_error *error)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno == ENOENT || errno == ENOTDIR
                   ? nb__fail(error, NB_E_NOT_FOUND, 0, "%.120s: there is no such directory", path)
                   : fail_at(path, "cannot be read", errno, NULL, error);
    int code;
    for (;;) {
        errno = 0;
        const struct dirent *at = readdir(directory);
        code = errno;
        if (at == NULL)
            break;
        struct stat about;
        if (strcmp(at->d_name, ".") == 0 || strcmp(at->d_name, "..") == 0 ||
            fstatat(dirfd(directory), at->d_name, &about, 0) != 0) /* gone meanwhile */
            continue;
        nb__disk_entry found = entry_of(at->d_name, &about);
        entry(self, &found);
    }
    closedir(directory);
    return code == 0 ? NB_OK : fail_at(path, "cannot be read", code, NULL, error);
}

nb_err nb__disk_stat(const char *path, nb__disk_entry *out, nb_error *error)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? nb__fail(error, NB_E_NOT_FOUND, 0, "%.120s: it is not there", path)
                   : fail_at(path, "cannot be looked at", errno, NULL, error);
    *out = entry_of(path, &about);
    return NB_OK;
}

bool nb__disk_is_at(int fd, const char *path)
{
    struct stat own, there;
    if (fstat(fd, &own) != 0 || own.st_nlink == 0)
        return false;
    if (stat(path, &there) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

bool nb__disk_is_held(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool is_held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return is_held;
}

nb_err nb__disk_space(const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                      nb_error *error)
{
    struct statvfs about;
    if (statvfs(path, &about) != 0)
        return fail_at(path, "its disk cannot be looked at", errno, NULL, error);
    *free_bytes = (uint64_t)about.f_bavail * about.f_frsize;
    *total_bytes = (uint64_t)about.f_blocks * about.f_frsize;
    return NB_OK;
}

/* ---- the lock of a directory ----
 * flock(): the kernel gives it back however its holder ends. The holder's pid stands in the file
 * for whoever comes second; where it could not be written, the lock holds all the same. */

static nb_err fail_held(int fd, const char *path, nb_error *error)
{
    char text[PID_BYTES + 1] = "";
    size_t size;
    nb__disk_read_at(fd, 0, text, PID_BYTES, &size, NULL);
    char *at = text + strspn(text, " ");
    uint64_t pid;
    if (nb__span_to_u64((nb_span){at, strcspn(at, "\n")}, &pid) && pid > 0)
        return nb__fail(error, NB_E_BUSY, 0, "%.110s: process %llu holds it", path,
                        (unsigned long long)pid);
    return nb__fail(error, NB_E_BUSY, 0, "%.110s: another process holds it", path);
}

static void pid_write(int fd)
{
    char text[PID_BYTES + 1];
    snprintf(text, sizeof text, "%*d\n", PID_BYTES - 1, (int)getpid());
    (void)!pwrite(fd, text, PID_BYTES, 0);
}

nb_err nb__disk_lock(const char *path, int *fd, nb_error *error)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
        if (opened < 0)
            return fail_at(path, "cannot be made", errno, NULL, error);
        if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
            int code = errno;
            nb_err err = code == EWOULDBLOCK ? fail_held(opened, path, error)
                                             : fail_at(path, "cannot be locked", code, NULL, error);
            close(opened);
            return err;
        }
        if (nb__disk_is_at(opened, path)) {
            pid_write(opened);
            *fd = opened;
            return NB_OK;
        }
        close(opened); /* it was removed between the two: that lock is nobody's */
    }
    return nb__fail(error, NB_E_BUSY, 0, "%.110s: it is removed again and again", path);
}
