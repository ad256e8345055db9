/* SPDX-License-Identifier: Apache-2.0 */
/* Files in parts, directories, locks: what they say when it works and when it does not. */
#include "folder.h"
#include "io/io.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void a_file_grows_is_cut_and_read(void **state)
{
    (void)state;
    const char *path = in_folder("a.log");
    int fd = -1, again = -1, reason = 0;
    size_t size;
    nb_error error;
    struct stat about;
    assert_int_equal(nb__disk_create(path, &fd, &reason, &error), NB_OK);
    assert_int_equal(nb__disk_create(path, &again, &reason, &error), NB_E_SYSTEM);
    assert_int_equal(reason, EEXIST);
    assert_int_equal(again, -1);
    assert_non_null(strstr(error.detail, "a.log: cannot be made: File exists"));
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(nb__disk_write(fd, NB__SPAN("one\ntwo\n"), &size, &reason, &error), NB_OK);
    assert_int_equal(size, 8);
    assert_int_equal(nb__disk_truncate(fd, 4, &error), NB_OK);
    assert_int_equal(nb__disk_write(fd, NB__SPAN("three\n"), &size, NULL, NULL), NB_OK);
    assert_int_equal(nb__disk_sync(fd, &reason, &error), NB_OK);
    uint64_t size_bytes;
    assert_int_equal(nb__disk_open(path, &again, &size_bytes, &error), NB_OK);
    assert_int_equal(size_bytes, 10);
    char out[16] = "";
    assert_int_equal(nb__disk_read_at(again, 2, out, sizeof out, &size, &error), NB_OK);
    assert_int_equal(size, 8);
    assert_memory_equal(out, "e\nthree\n", 8);
    assert_int_equal(nb__disk_read_at(again, 10, out, sizeof out, &size, &error), NB_OK);
    assert_int_equal(size, 0);
    assert_int_equal(nb__disk_write(again, NB__SPAN("x"), &size, &reason, &error), NB_E_SYSTEM);
    assert_int_equal(reason, EBADF);
    assert_int_equal(size, 0);
    assert_int_equal(nb__disk_read_at(fd, 0, out, 1, &size, &error), NB_E_SYSTEM);
    assert_int_equal(nb__disk_truncate(again, 0, &error), NB_E_SYSTEM);
    nb__disk_close(again);
    nb__disk_close(fd);
    nb__disk_close(-1);
}

static void a_file_that_is_written_is_held(void **state)
{
    (void)state;
    int fd;
    assert_int_equal(nb__disk_create(in_folder("a.log"), &fd, NULL, NULL), NB_OK);
    assert_true(nb__disk_is_held(in_folder("a.log")));
    assert_true(nb__disk_is_held(in_folder("a.log"))); /* looking changes nothing */
    nb__disk_close(fd);
    assert_false(nb__disk_is_held(in_folder("a.log")));
    assert_false(nb__disk_is_held(in_folder("none")));
}

static void what_is_no_file_is_told(void **state)
{
    (void)state;
    int fd = -1;
    uint64_t size;
    nb_error error;
    assert_int_equal(nb__disk_open(in_folder("none"), &fd, &size, &error), NB_E_NOT_FOUND);
    assert_non_null(strstr(error.detail, "none: there is no such file"));
    assert_int_equal(nb__disk_open(folder, &fd, &size, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "it is no file"));
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(nb__disk_open(in_folder("fifo"), &fd, &size, &error), NB_E_SYSTEM);
    assert_int_equal(nb__disk_create(in_folder("none/a"), &fd, NULL, &error), NB_E_SYSTEM);
    assert_int_equal(fd, -1);
    int pipes[2], reason = 0;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(nb__disk_sync(pipes[1], &reason, &error), NB_E_SYSTEM);
    assert_int_equal(reason, EINVAL);
    assert_string_equal(error.detail, "does not reach the disk: Invalid argument");
    close(pipes[0]);
    close(pipes[1]);
}

/* In a process of its own: the limit stays with it. Without the loop's SIG_IGN it would die. */
static void a_file_at_its_limit_says_how_much_went(void **state)
{
    (void)state;
    const char *path = in_folder("a.log");
    pid_t pid = fork();
    if (pid == 0) {
        nb__loop *loop;
        nb__loop_new(&loop, NULL);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
        static char bytes[1500];
        int fd, reason = 0;
        size_t size = 0;
        if (nb__disk_create(path, &fd, NULL, NULL) != NB_OK)
            _exit(2);
        nb_err err = nb__disk_write(fd, (nb_span){bytes, sizeof bytes}, &size, &reason, NULL);
        _exit(err == NB_E_SYSTEM && size == 1000 && reason == EFBIG ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void files_are_renamed_and_removed(void **state)
{
    (void)state;
    nb_error error;
    int fd;
    assert_int_equal(nb__disk_create(in_folder("a"), &fd, NULL, NULL), NB_OK);
    assert_true(nb__disk_is_at(fd, in_folder("a")));
    assert_int_equal(nb__disk_rename(in_folder("a"), in_folder("b"), &error), NB_OK);
    assert_false(nb__disk_is_at(fd, in_folder("a")));
    assert_true(nb__disk_is_at(fd, in_folder("b")));
    assert_int_equal(nb__disk_sync_directory(folder, &error), NB_OK);
    assert_int_equal(nb__disk_remove(in_folder("b"), &error), NB_OK);
    assert_int_equal(nb__disk_remove(in_folder("b"), &error), NB_OK);
    assert_false(nb__disk_is_at(fd, in_folder("b")));
    close(fd);
    assert_int_equal(nb__disk_create(in_folder("b"), &fd, NULL, NULL), NB_OK);
    close(fd);
    assert_int_equal(nb__disk_rename(in_folder("a"), in_folder("c"), &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "a: cannot be renamed: No such file"));
    assert_int_equal(nb__disk_remove(folder, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "cannot be removed: Directory not empty"));
    assert_int_equal(nb__disk_sync_directory(in_folder("none"), &error), NB_E_SYSTEM);
}

/* ---- directories ---- */

typedef struct seen {
    int count, directories;
    uint64_t size_bytes;
    int64_t changed_ns;
} seen;

static void see(void *self, const nb__disk_entry *entry)
{
    seen *s = self;
    s->count++;
    s->directories += entry->is_directory;
    s->size_bytes += entry->size_bytes;
    s->changed_ns = entry->changed_ns;
    assert_true(strcmp(entry->name, "a") == 0 || strcmp(entry->name, "d") == 0);
}

static void a_directory_is_listed(void **state)
{
    (void)state;
    seen s = {0};
    nb_error error;
    nb__disk_entry entry;
    assert_int_equal(nb__disk_list(folder, see, &s, &error), NB_OK);
    assert_int_equal(s.count, 0);
    assert_int_equal(mkdir(in_folder("d"), 0700), 0);
    assert_int_equal(nb__file_write(in_folder("a"), NB__SPAN("12345"), 0600, NULL), NB_OK);
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_int_equal(nb__disk_list(folder, see, &s, &error), NB_OK);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.directories, 1);
    assert_int_equal(s.size_bytes, 5);
    int64_t age_ns = nb__clock_real_ns() - s.changed_ns;
    assert_true(age_ns > -NB__NS_PER_S && age_ns < 60 * NB__NS_PER_S);
    assert_int_equal(nb__disk_stat(in_folder("a"), &entry, &error), NB_OK);
    assert_int_equal(entry.size_bytes, 5);
    assert_false(entry.is_directory);
    assert_int_equal(nb__disk_stat(in_folder("none"), &entry, &error), NB_E_NOT_FOUND);
    assert_int_equal(nb__disk_list(in_folder("none"), see, &s, &error), NB_E_NOT_FOUND);
    assert_int_equal(nb__disk_list(in_folder("a"), see, &s, &error), NB_E_NOT_FOUND);
}

static void space_is_known(void **state)
{
    (void)state;
    uint64_t free_bytes = 0, total_bytes = 0;
    nb_error error;
    assert_int_equal(nb__disk_space(folder, &free_bytes, &total_bytes, &error), NB_OK);
    assert_true(total_bytes > 0 && free_bytes <= total_bytes);
    assert_int_equal(nb__disk_space(in_folder("none"), &free_bytes, &total_bytes, &error),
                     NB_E_SYSTEM);
}

/* ---- the lock ---- */

/* @return the exit status of another process that tries: 0 got it, 1 busy by our pid, 2 other. */
static int other_tries(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        nb_error error = {0};
        char words[64];
        int fd;
        nb_err err = nb__disk_lock(path, &fd, &error);
        snprintf(words, sizeof words, ": process %d holds it", (int)getppid());
        _exit(err == NB_OK ? 0 : err == NB_E_BUSY && strstr(error.detail, words) != NULL ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void a_lock_is_held_once(void **state)
{
    (void)state;
    int fd, again;
    nb_error error;
    const char *path = in_folder("lock");
    assert_int_equal(nb__disk_lock(path, &fd, &error), NB_OK);
    assert_int_equal(nb__disk_lock(path, &again, &error), NB_E_BUSY);
    assert_int_equal(other_tries(path), 1);
    nb__disk_close(fd);
    assert_int_equal(other_tries(path), 0); /* and its end gave it back */
    assert_int_equal(nb__disk_lock(path, &fd, &error), NB_OK);
    assert_int_equal(other_tries(path), 1);
    nb__disk_close(fd);
    assert_int_equal(nb__disk_lock(in_folder("none/lock"), &fd, &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "none/lock: cannot be made: No such file"));
}

static void a_lock_survives_a_kill(void **state)
{
    (void)state;
    int ready[2], fd;
    const char *path = in_folder("lock");
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte = nb__disk_lock(path, &fd, NULL) == NB_OK ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        pause();
    }
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    nb_error error;
    assert_int_equal(nb__disk_lock(path, &fd, &error), NB_E_BUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(nb__disk_lock(path, &fd, &error), NB_OK);
    nb__disk_close(fd);
    close(ready[0]);
    close(ready[1]);
}

/* Whoever locked a file that was removed since holds nothing that others see. */
static void a_removed_lock_is_made_again(void **state)
{
    (void)state;
    int fd, again;
    const char *path = in_folder("lock");
    assert_int_equal(nb__disk_lock(path, &fd, NULL), NB_OK);
    assert_int_equal(unlink(path), 0);
    assert_false(nb__disk_is_at(fd, path));
    assert_int_equal(nb__disk_lock(path, &again, NULL), NB_OK);
    assert_true(nb__disk_is_at(again, path));
    assert_false(nb__disk_is_at(fd, path));
    nb__disk_close(fd);
    nb__disk_close(again);
}

static void the_machine_has_a_name(void **state)
{
    (void)state;
    char name[64], own[256] = "";
    nb__host_name(name);
    assert_int_equal(gethostname(own, sizeof own - 1), 0);
    own[63] = '\0';
    assert_string_equal(name, own[0] == '\0' ? "?" : own);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_new, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_file_grows_is_cut_and_read),
        WITH_FOLDER(a_file_that_is_written_is_held),
        WITH_FOLDER(what_is_no_file_is_told),
        WITH_FOLDER(a_file_at_its_limit_says_how_much_went),
        WITH_FOLDER(files_are_renamed_and_removed),
        WITH_FOLDER(a_directory_is_listed),
        WITH_FOLDER(space_is_known),
        WITH_FOLDER(a_lock_is_held_once),
        WITH_FOLDER(a_lock_survives_a_kill),
        WITH_FOLDER(a_removed_lock_is_made_again),
        WITH_FOLDER(the_machine_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
