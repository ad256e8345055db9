/* SPDX-License-Identifier: Apache-2.0 */
/* One session an appkey: between processes that live, end and are killed; and what is remembered.
 */
#include "folder.h"
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PAGE_BYTES 4096

static char appkey[40]; /* of this run: tests at the same time must not meet */
static char state_path[160];

static int key_new(void **state)
{
    char hash[17];
    if (folder_new(state) != 0)
        return -1;
    snprintf(appkey, sizeof appkey, "PSTEST%.20s", folder + strlen(folder) - 6);
    nb__appkey_hash(appkey, hash);
    snprintf(state_path, sizeof state_path, "%s/appkey-%s.state", folder, hash);
    return 0;
}

static nb_err take(nb__appkey_lock **lock, nb__text *memory, nb_error *error)
{
    *lock = NULL;
    return nb__appkey_lock_take(folder, appkey, lock, memory, error);
}

/* Take, expect `want` as memory, save `then` unless NULL, give back. */
static void once(const char *want, const char *then)
{
    nb__appkey_lock *lock;
    nb__text memory = {0};
    nb_error error = {0};
    if (take(&lock, &memory, &error) != NB_OK)
        fail_msg("%s", error.detail);
    if (!nb__span_is(nb__text_view(&memory), want))
        fail_msg("'%s' in place of '%s'", memory.data, want);
    if (then != NULL)
        assert_int_equal(nb__appkey_lock_save(lock, nb__span(then), NULL), NB_OK);
    nb__appkey_lock_free(lock);
    nb__text_fini(&memory);
}

/* A process that takes the lock, saves `memory`, says so and waits for its death. */
static pid_t holder_start(const char *memory)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        nb__appkey_lock *lock;
        nb__text held = {0};
        if (take(&lock, &held, NULL) != NB_OK ||
            nb__appkey_lock_save(lock, nb__span(memory), NULL) != NB_OK ||
            write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void holder_kill(pid_t pid)
{
    int status;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void a_hash_names_an_appkey_without_telling_it(void **state)
{
    (void)state;
    char hash[17];
    nb__appkey_hash("abc", hash);
    assert_string_equal(hash, "ba7816bf8f01cfea"); /* FIPS 180-2, B.1 */
}

static void memory_survives(void **state)
{
    (void)state;
    struct stat about;
    once("", NULL);
    assert_int_equal(stat(state_path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_size, PAGE_BYTES);
    assert_true(about.st_blocks * 512 >= PAGE_BYTES);
    once("", "budget 1 2 3\n");
    once("budget 1 2 3", "a longer budget 1 2 3 4 5 6 7 8 9");
    once("a longer budget 1 2 3 4 5 6 7 8 9", "x");
    once("x", NULL);
    char line[2050];
    memset(line, 'm', sizeof line);
    line[2048] = '\0';
    once("x", line);
    once(line, NULL);
}

static void what_is_no_line_is_not_saved(void **state)
{
    (void)state;
    nb__appkey_lock *lock;
    nb__text memory = {0};
    char line[2049];
    memset(line, 'm', sizeof line);
    assert_int_equal(take(&lock, &memory, NULL), NB_OK);
    assert_int_equal(nb__appkey_lock_save(lock, NB__SPAN(""), NULL), NB_E_ARGUMENT);
    assert_int_equal(nb__appkey_lock_save(lock, NB__SPAN("\n"), NULL), NB_E_ARGUMENT);
    assert_int_equal(nb__appkey_lock_save(lock, NB__SPAN("a\nb"), NULL), NB_E_ARGUMENT);
    assert_int_equal(nb__appkey_lock_save(lock, (nb_span){line, 2049}, NULL), NB_E_ARGUMENT);
    nb__appkey_lock_free(lock);
    nb__text_fini(&memory);
    once("", NULL);
}

static void a_second_process_is_told_who_holds_it(void **state)
{
    (void)state;
    pid_t pid = holder_start("held");
    nb__appkey_lock *lock;
    nb__text memory = {0};
    nb_error error;
    char want[64];
    assert_int_equal(take(&lock, &memory, &error), NB_E_BUSY);
    assert_null(lock);
    snprintf(want, sizeof want, "process %d (", (int)pid);
    assert_memory_equal(error.detail, want, strlen(want));
    snprintf(want, sizeof want, "%.15s, user ", program_invocation_short_name);
    assert_non_null(strstr(error.detail, want));
    assert_non_null(strstr(error.detail, ", since 20"));
    assert_null(strstr(error.detail, appkey));
    assert_int_equal(error.detail[strlen(error.detail) - 1], ')'); /* nothing was cut */
    holder_kill(pid); /* as hard as can be: free at once, and remembered */
    once("held", NULL);
    nb__text_fini(&memory);
}

static void the_same_process_cannot_take_it_twice(void **state)
{
    (void)state;
    nb__appkey_lock *lock, *second;
    nb__text memory = {0};
    nb_error error;
    assert_int_equal(take(&lock, &memory, NULL), NB_OK);
    assert_int_equal(take(&second, &memory, &error), NB_E_BUSY);
    assert_non_null(strstr(error.detail, "this very process"));
    nb__appkey_lock_free(lock);
    nb__text_fini(&memory);
    once("", NULL);
}

/* Askers stay in the holder's queue; it must be able to answer who it is for ever. */
static void many_askers_do_not_hide_the_holder(void **state)
{
    (void)state;
    char hash[17];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    nb__appkey_hash(appkey, hash);
    int size = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "nightbook-appkey-%s", hash);
    socklen_t name_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
    nb__appkey_lock *lock;
    nb__text memory = {0};
    nb_error error = {0};
    assert_int_equal(take(&lock, &memory, NULL), NB_OK);
    bool is_full = false;
    for (int i = 0; i < 5000 && !is_full; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        is_full = connect(fd, (struct sockaddr *)&name, name_bytes) != 0;
        close(fd);
    }
    for (int round = 0; round < 2; round++) { /* full, and after a save */
        pid_t pid = fork();
        if (pid == 0) {
            nb_err err = take(&lock, &memory, &error);
            bool is_named = strncmp(error.detail, "process ", 8) == 0;
            bool is_unseen = strstr(error.detail, "cannot be seen") != NULL;
            _exit(err == NB_E_BUSY && (is_named || (is_full && round == 0 && is_unseen)) ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(nb__appkey_lock_save(lock, NB__SPAN("x"), NULL), NB_OK);
    }
    nb__appkey_lock_free(lock);
    nb__text_fini(&memory);
}

/* Two containers: a network namespace each, one directory. */
static void the_file_is_locked_beyond_the_network_namespace(void **state)
{
    (void)state;
    pid_t holder = holder_start("held"), pid = fork();
    if (pid == 0) {
        nb__appkey_lock *lock;
        nb__text memory = {0};
        nb_error error = {0};
        if (unshare(CLONE_NEWNET) != 0)
            _exit(77);
        bool is_busy = take(&lock, &memory, &error) == NB_E_BUSY;
        _exit(is_busy && strstr(error.detail, "cannot be seen from here") != NULL ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    holder_kill(holder);
    if (WEXITSTATUS(status) == 77)
        skip(); /* only root may have a namespace of its own */
    assert_int_equal(status, 0);
}

static void page_read_raw(char page[PAGE_BYTES])
{
    int fd = open(state_path, O_RDONLY);
    assert_int_equal(read(fd, page, PAGE_BYTES), PAGE_BYTES);
    close(fd);
}

static void page_write_raw(const char *page, size_t size_bytes)
{
    int fd = open(state_path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, page, size_bytes), (ssize_t)size_bytes);
    close(fd);
}

static void a_torn_file_is_never_misread(void **state)
{
    (void)state;
    static char page[PAGE_BYTES], torn[PAGE_BYTES], other[PAGE_BYTES];
    once("", "connects 4 since 1700000000");
    page_read_raw(page);
    once("connects 4 since 1700000000", "connects 1 since 1600000000");
    page_read_raw(other);
    for (size_t at = 0; at < PAGE_BYTES; at += at < 64 ? 1 : 251) { /* one byte wrong */
        memcpy(torn, page, PAGE_BYTES);
        torn[at] ^= 1;
        page_write_raw(torn, PAGE_BYTES);
        once(NB__APPKEY_TORN, NULL);
    }
    for (size_t at = 1; at < 60; at++) { /* the front of one save, the rest of another */
        memcpy(torn, page, PAGE_BYTES);
        memcpy(torn, other, at);
        if (memcmp(torn, page, PAGE_BYTES) == 0 || memcmp(torn, other, PAGE_BYTES) == 0)
            continue;
        page_write_raw(torn, PAGE_BYTES);
        once(NB__APPKEY_TORN, NULL);
    }
    for (size_t size = 1; size < PAGE_BYTES; size += size < 64 ? 1 : 251) { /* cut */
        page_write_raw(page, size);
        once(NB__APPKEY_TORN, NULL);
        once(NB__APPKEY_TORN, NULL); /* looking at it does not mend it */
    }
    memset(torn, 0, sizeof torn); /* what some file systems leave after a power cut */
    page_write_raw(torn, PAGE_BYTES);
    once(NB__APPKEY_TORN, "mended");
    once("mended", NULL);
    page_write_raw(page, 0);
    once("", NULL);
}

static void a_directory_that_cannot_be_is_told_and_gives_the_lock_back(void **state)
{
    (void)state;
    nb__appkey_lock *lock;
    nb__text memory = {0};
    nb_error error;
    assert_int_equal(nb__file_write(in_folder("file"), NB__SPAN("x"), 0600, NULL), NB_OK);
    assert_int_equal(nb__appkey_lock_take(in_folder("file/below"), appkey, &lock, &memory, &error),
                     NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "file"));
    once("", NULL);
    assert_int_equal(nb__appkey_lock_take(in_folder("new/state"), appkey, &lock, &memory, NULL),
                     NB_OK);
    nb__appkey_lock_free(lock);
    nb__text_fini(&memory);
}

static void what_is_no_file_of_ours_is_refused(void **state)
{
    (void)state;
    nb__appkey_lock *lock;
    nb__text memory = {0};
    nb_error error;
    char hash[17], name[64];
    nb__appkey_hash(appkey, hash);
    snprintf(name, sizeof name, "appkey-%s.state", hash);
    assert_int_equal(mkfifo(in_folder(name), 0600), 0);
    assert_int_equal(nb__appkey_lock_take(folder, appkey, &lock, &memory, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "no regular file: remove it"));
    assert_int_equal(unlink(in_folder(name)), 0);
    assert_int_equal(symlink("elsewhere", in_folder(name)), 0);
    assert_int_equal(nb__appkey_lock_take(folder, appkey, &lock, &memory, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "name another state_dir"));
    assert_int_equal(access(in_folder("elsewhere"), F_OK), -1);
    assert_int_equal(unlink(in_folder(name)), 0);
    nb__text_fini(&memory);
}

/* systemd's Restart=: fifty processes, each killed; none waits, none forgets. */
static void fifty_crashes(void **state)
{
    (void)state;
    char line[32], before[32] = "";
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "crash %d", i);
        once(before, NULL);
        holder_kill(holder_start(line));
        memcpy(before, line, sizeof line);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, key_new, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_hash_names_an_appkey_without_telling_it),
        TEST(memory_survives),
        TEST(what_is_no_line_is_not_saved),
        TEST(a_second_process_is_told_who_holds_it),
        TEST(the_same_process_cannot_take_it_twice),
        TEST(many_askers_do_not_hide_the_holder),
        TEST(the_file_is_locked_beyond_the_network_namespace),
        TEST(a_torn_file_is_never_misread),
        TEST(a_directory_that_cannot_be_is_told_and_gives_the_lock_back),
        TEST(what_is_no_file_of_ours_is_refused),
        TEST(fifty_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
