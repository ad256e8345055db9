/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session an appkey on this machine, and what a session remembers across restarts.
 *
 * The lock is an abstract Unix socket @nightbook-appkey-HASH: one in each network namespace, taken
 * by bind() and given back by the kernel however its holder ends. Who comes second connects to it
 * and reads the holder's pid from the kernel. Containers have a network namespace each, so the
 * state file is locked too (flock), for those that share its directory.
 *
 * The state file is one page of 4096 bytes:
 *
 *   MEMORY ' ' '#' 16 hex digits of SHA-256(MEMORY) '\n' blanks
 *
 * Only blanks: never saved. Anything else that does not read so is torn, and NB__APPKEY_TORN is
 * what the caller gets. It is written whole by one pwrite() over room that was taken before, so
 * that neither a full disk nor a kill between two writes loses it. No fdatasync: the page cache
 * outlives the process; what a power cut loses is younger than the restart of a machine is long,
 * and a sync on a busy disk would hold up the loop before each connect.
 */
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STATE_BYTES 4096
#define HASH_DIGITS 16
#define TAIL_BYTES (2 + HASH_DIGITS + 1) /* " #HASH\n" */
#define BACKLOG 4096

struct nb__appkey_lock {
    int socket_fd, file_fd;
    char path[512];
};

/* ---- names and sums ---- */

static void hash_print(const void *data, size_t size_bytes, char out[HASH_DIGITS + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(data, size_bytes, digest);
    for (size_t i = 0; i < HASH_DIGITS / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    explicit_bzero(digest, sizeof digest);
}

void nb__appkey_hash(const char *appkey, char out[17])
{
    hash_print(appkey, strlen(appkey), out);
}

/* ---- who holds it ---- */

/* When the process was started, from the kernel's ticks since boot. @return false: not known. */
static bool started_at(pid_t pid, int64_t *utc_ns)
{
    char path[40];
    nb__text text = {0};
    struct timespec boot;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (nb__file_read(path, 4096, &text, NULL) != NB_OK)
        return false;
    const char *at = strrchr(text.data, ')'); /* the name before it may hold anything */
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at, ' ');
        at = at == NULL ? NULL : at + 1;
    }
    uint64_t ticks;
    bool is_known = at != NULL && clock_gettime(CLOCK_BOOTTIME, &boot) == 0 &&
                    nb__span_to_u64((nb_span){at, strcspn(at, " \n")}, &ticks);
    nb__text_fini(&text);
    if (!is_known)
        return false;
    int64_t since_boot_ns =
        (int64_t)ticks * (NB__NS_PER_S / sysconf(_SC_CLK_TCK)); /* of boot time, as `boot` is */
    *utc_ns = nb__clock_real_ns() - (boot.tv_sec * NB__NS_PER_S + boot.tv_nsec) + since_boot_ns;
    return true;
}

static void process_name(pid_t pid, char *out, size_t capacity_bytes)
{
    char path[40];
    nb__text text = {0};
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    bool is_read = nb__file_read(path, 64, &text, NULL) == NB_OK;
    snprintf(out, capacity_bytes, "%.*s", is_read ? (int)strcspn(text.data, "\n") : 1,
             is_read ? text.data : "?");
    nb__text_fini(&text);
}

static nb_err fail_busy(const struct ucred *holder, nb_error *error)
{
    char name[32], user[64], words[1024], started[40], since[48] = "";
    struct passwd entry, *found = NULL;
    int64_t started_ns;
    if (holder->pid == getpid())
        return nb__fail(error, NB_E_BUSY, 0,
                        "this very process holds a session of this appkey: is it named twice?");
    if (holder->pid <= 0) /* of another pid namespace, or its queue of askers is full */
        return nb__fail(error, NB_E_BUSY, 0,
                        "a process that cannot be seen from here (in another container?) holds "
                        "this appkey's session; KIS allows one: end that one first");
    process_name(holder->pid, name, sizeof name);
    if (getpwuid_r(holder->uid, &entry, words, sizeof words, &found) == 0 && found != NULL)
        snprintf(user, sizeof user, "%s", found->pw_name);
    else
        snprintf(user, sizeof user, "uid %u", holder->uid);
    if (started_at(holder->pid, &started_ns)) {
        nb__kst_print(started, started_ns, 0);
        snprintf(since, sizeof since, ", since %s", started);
    }
    return nb__fail(error, NB_E_BUSY, 0,
                    "process %d (%s, user %s%s) holds this appkey's session; KIS allows one: "
                    "connect to that one, or end it (kill %d)",
                    (int)holder->pid, name, user, since, (int)holder->pid);
}

/* ---- the socket ---- */

static socklen_t socket_name(const char *hash, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "nightbook-appkey-%s", hash);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

/* @return false: nobody is there (any more). */
static bool holder_ask(const struct sockaddr_un *name, socklen_t name_bytes, struct ucred *holder)
{
    socklen_t size = sizeof *holder;
    *holder = (struct ucred){0};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool is_gone =
        connect(fd, (const struct sockaddr *)name, name_bytes) != 0 && errno == ECONNREFUSED;
    if (!is_gone)
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, holder, &size);
    close(fd);
    return !is_gone;
}

static nb_err socket_take(nb__appkey_lock *lock, const char *hash, nb_error *error)
{
    struct sockaddr_un name;
    socklen_t name_bytes = socket_name(hash, &name);
    lock->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lock->socket_fd < 0)
        return nb__fail(error, NB_E_SYSTEM, 0, "appkey lock: %s", strerrordesc_np(errno));
    for (int attempt = 0; attempt < 20; attempt++) {
        struct ucred holder = {0};
        if (bind(lock->socket_fd, (const struct sockaddr *)&name, name_bytes) == 0 &&
            listen(lock->socket_fd, BACKLOG) == 0)
            return NB_OK;
        if (errno != EADDRINUSE)
            return nb__fail(error, NB_E_SYSTEM, 0, "appkey lock: %s", strerrordesc_np(errno));
        if (holder_ask(&name, name_bytes, &holder))
            return fail_busy(&holder, error);
        /* it is just ending, or just beginning */
        nanosleep(&(struct timespec){.tv_nsec = 5 * NB__NS_PER_MS}, NULL);
    }
    return fail_busy(&(struct ucred){0}, error);
}

/* Those who asked are in the queue until they are taken out; a full queue would hide our pid. */
static void askers_dismiss(const nb__appkey_lock *lock)
{
    for (int fd; (fd = accept4(lock->socket_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
        close(fd);
}

/* ---- the state file ---- */

static void page_print(char page[STATE_BYTES], nb_span memory)
{
    memset(page, ' ', STATE_BYTES - 1);
    page[STATE_BYTES - 1] = '\n';
    if (memory.size_bytes == 0)
        return;
    char hash[HASH_DIGITS + 1];
    hash_print(memory.data, memory.size_bytes, hash);
    memcpy(page, memory.data, memory.size_bytes);
    page[memory.size_bytes + 1] = '#'; /* after one of the blanks */
    memcpy(page + memory.size_bytes + 2, hash, HASH_DIGITS);
    page[memory.size_bytes + 2 + HASH_DIGITS] = '\n';
}

/* @return the memory; empty when never saved; size_bytes SIZE_MAX when torn. */
static nb_span page_read(const char *page, size_t size_bytes)
{
    static const nb_span torn = {NULL, SIZE_MAX};
    char expected[STATE_BYTES];
    if (size_bytes == 0)
        return (nb_span){page, 0};
    const char *end = memchr(page, '\n', size_bytes);
    if (size_bytes != STATE_BYTES || end == NULL)
        return torn;
    size_t line_bytes = (size_t)(end - page) + 1;
    nb_span memory = {page, line_bytes < TAIL_BYTES ? 0 : line_bytes - TAIL_BYTES};
    if (line_bytes == STATE_BYTES)
        memory.size_bytes = 0;
    page_print(expected, memory);
    return memcmp(expected, page, STATE_BYTES) == 0 ? memory : torn;
}

static nb_err fail_file(const nb__appkey_lock *lock, int reason, nb_error *error)
{
    return nb__fail(error, NB_E_SYSTEM, 0,
                    "%.120s: %s; the connect budget is kept there: free it, or name another "
                    "state_dir",
                    lock->path, strerrordesc_np(reason));
}

static nb_err page_write(const nb__appkey_lock *lock, nb_span memory, nb_error *error)
{
    char page[STATE_BYTES];
    page_print(page, memory);
    ssize_t size = pwrite(lock->file_fd, page, sizeof page, 0);
    if (size == (ssize_t)sizeof page)
        return NB_OK;
    return fail_file(lock, size < 0 ? errno : ENOSPC, error);
}

/* What it held; a new file, or one of another size, becomes a page, with its room taken. */
static nb_err file_take(nb__appkey_lock *lock, nb__text *memory, nb_error *error)
{
    char page[STATE_BYTES + 1];
    struct stat about;
    lock->file_fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock->file_fd < 0 || fstat(lock->file_fd, &about) != 0)
        return fail_file(lock, errno, error);
    bool is_ours = about.st_uid == geteuid() || geteuid() == 0;
    if (!S_ISREG(about.st_mode) || !is_ours)
        return nb__fail(error, NB_E_SYSTEM, 0,
                        "%.120s: it is %s: remove it, or name another state_dir", lock->path,
                        is_ours ? "no regular file" : "another user's");
    if (flock(lock->file_fd, LOCK_EX | LOCK_NB) != 0)
        return errno != EWOULDBLOCK
                   ? fail_file(lock, errno, error)
                   : nb__fail(error, NB_E_BUSY, 0,
                              "a process that cannot be seen from here (in another container?) "
                              "holds this appkey's session: it has locked %.100s",
                              lock->path);
    ssize_t size = pread(lock->file_fd, page, sizeof page, 0);
    if (size < 0)
        return fail_file(lock, errno, error);
    nb_span held = page_read(page, (size_t)size);
    nb__text_clear(memory);
    if (held.size_bytes == SIZE_MAX)
        nb__text_string(memory, NB__APPKEY_TORN);
    else
        nb__text_append(memory, held.data, held.size_bytes);
    if (memory->is_failed)
        return nb__fail(error, NB_E_MEMORY, 0, "%.150s: memory is exhausted", lock->path);
    if (size == STATE_BYTES)
        return NB_OK;
    int reason = posix_fallocate(lock->file_fd, 0, STATE_BYTES);
    if (reason == 0 && ftruncate(lock->file_fd, STATE_BYTES) != 0)
        reason = errno;
    if (reason != 0)
        return fail_file(lock, reason, error);
    return size == 0 ? page_write(lock, NB__SPAN(""), error) : NB_OK; /* torn stays torn */
}

/* ---- the door ---- */

nb_err nb__appkey_lock_take(const char *directory, const char *appkey, nb__appkey_lock **out,
                            nb__text *memory, nb_error *error)
{
    char hash[HASH_DIGITS + 1];
    nb__appkey_hash(appkey, hash);
    nb__appkey_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL)
        return nb__fail(error, NB_E_MEMORY, 0, "appkey lock: memory is exhausted");
    lock->socket_fd = lock->file_fd = -1;
    int size = snprintf(lock->path, sizeof lock->path, "%s/appkey-%s.state", directory, hash);
    nb_err err = NB_OK;
    if (size >= (int)sizeof lock->path)
        err = nb__fail(error, NB_E_ARGUMENT, 0, "%.100s…: the path is too long", directory);
    if (err == NB_OK)
        err = socket_take(lock, hash, error);
    if (err == NB_OK)
        err = nb__directory_make(directory, error);
    if (err == NB_OK)
        err = file_take(lock, memory, error);
    if (err == NB_OK)
        *out = lock;
    else
        nb__appkey_lock_free(lock);
    return err;
}

nb_err nb__appkey_lock_save(nb__appkey_lock *lock, nb_span memory, nb_error *error)
{
    while (memory.size_bytes > 0 && memory.data[memory.size_bytes - 1] == '\n')
        memory.size_bytes--;
    if (memory.size_bytes == 0 || memory.size_bytes > STATE_BYTES / 2 ||
        memchr(memory.data, '\n', memory.size_bytes) != NULL)
        return nb__fail(error, NB_E_ARGUMENT, 0, "the state of an appkey is one line of text");
    askers_dismiss(lock);
    return page_write(lock, memory, error);
}

void nb__appkey_lock_free(nb__appkey_lock *lock)
{
    if (lock == NULL)
        return;
    if (lock->socket_fd >= 0)
        close(lock->socket_fd);
    if (lock->file_fd >= 0)
        close(lock->file_fd);
    free(lock);
}
