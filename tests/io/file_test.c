/* SPDX-License-Identifier: Apache-2.0 */
/* Files whole or not at all, files with secrets, directories, and where they belong. */
#include "folder.h"
#include "io/io.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

static void expect(const char *path, const char *content)
{
    nb__text text = {0};
    nb_error error = {0};
    if (nb__file_read(path, 1 << 20, &text, &error) != NB_OK)
        fail_msg("%s", error.detail);
    assert_true(nb__span_is(nb__text_view(&text), content));
    nb__text_fini(&text);
}

static int entries(const char *path)
{
    int count = -2; /* . and .. */
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static unsigned mode_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 07777U;
}

/* ---- nb__file_write ---- */

static void a_file_is_replaced_whole(void **state)
{
    (void)state;
    const char *path = in_folder("config.yaml");
    mode_t before = umask(077);
    assert_int_equal(nb__file_write(path, NB__SPAN("first\n"), 0600, NULL), NB_OK);
    expect(path, "first\n");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(nb__file_write(path, NB__SPAN("2\n"), 0644, NULL), NB_OK);
    expect(path, "2\n");
    assert_int_equal(mode_of(path), 0644);
    assert_int_equal(nb__file_write(path, NB__SPAN(""), 0644, NULL), NB_OK);
    expect(path, "");
    assert_int_equal(nb__file_write_soon(path, NB__SPAN("soon\n"), 0600, NULL), NB_OK);
    expect(path, "soon\n");
    assert_int_equal(mode_of(path), 0600);
    umask(before);
    assert_int_equal(entries(folder), 1);
    char here[512];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(nb__file_write("no-slash", NB__SPAN("x"), 0600, NULL), NB_OK);
    assert_int_equal(chdir(here), 0);
    expect(in_folder("no-slash"), "x");
}

static void a_file_that_cannot_be_written_stays(void **state)
{
    (void)state;
    nb_error error;
    const char *path = in_folder("file");
    assert_int_equal(nb__file_write(path, NB__SPAN("old"), 0600, NULL), NB_OK);
    /* the disk is full: as good as */
    static char large[8192];
    struct rlimit before, small = {4096, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    nb_err err = nb__file_write(path, (nb_span){large, sizeof large}, 0600, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(err, NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "/file: cannot be written: File too large"));
    expect(path, "old");
    /* below a file; over a directory */
    assert_int_equal(nb__file_write(in_folder("file/below"), NB__SPAN("x"), 0600, &error),
                     NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "Not a directory"));
    assert_int_equal(mkdir(in_folder("directory"), 0700), 0);
    assert_int_equal(nb__file_write(in_folder("directory"), NB__SPAN("x"), 0600, &error),
                     NB_E_SYSTEM);
    assert_int_equal(nb__file_write(in_folder("none/file"), NB__SPAN("x"), 0600, &error),
                     NB_E_SYSTEM);
    assert_int_equal(entries(folder), 2); /* nothing temporary is left */
}

/* ---- nb__file_read_secret ---- */

static nb_err secret(const char *path, nb_error *error)
{
    nb__text text = {0};
    nb_err err = nb__file_read_secret(path, 100, &text, error);
    if (err == NB_OK)
        assert_true(nb__span_is(nb__text_view(&text), "app_key: x\n"));
    else
        assert_int_equal(text.size_bytes, 0);
    nb__text_fini(&text);
    return err;
}

static void a_secret_that_others_can_read_is_refused(void **state)
{
    (void)state;
    nb_error error;
    char want[200];
    const char *path = in_folder("secret");
    assert_int_equal(nb__file_write(path, NB__SPAN("app_key: x\n"), 0600, NULL), NB_OK);
    assert_int_equal(secret(path, NULL), NB_OK);
    for (unsigned bit = 1; bit < 0100; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_int_equal(secret(path, &error), NB_E_CONFIG);
        snprintf(want, sizeof want, "%s: others can read it (mode %04o); chmod 600 '%s'", path,
                 0600 | bit, path);
        assert_string_equal(error.detail, want);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(secret(path, NULL), NB_OK);
    assert_int_equal(symlink(path, in_folder("link")), 0); /* what it points to counts */
    assert_int_equal(secret(in_folder("link"), NULL), NB_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(secret(in_folder("link"), &error), NB_E_CONFIG);
}

static void a_secret_of_somebody_else_is_refused(void **state)
{
    (void)state;
    nb_error error;
    const char *path = in_folder("secret");
    if (geteuid() != 0)
        skip();
    assert_int_equal(nb__file_write(path, NB__SPAN("app_key: x\n"), 0600, NULL), NB_OK);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_int_equal(secret(path, &error), NB_E_CONFIG);
    assert_non_null(strstr(error.detail, "belongs to user 12345"));
    assert_non_null(strstr(error.detail, "chown 0 '"));
}

static nb_err own(const char *path, nb_error *refusal, nb_error *error)
{
    nb__text text = {0};
    *refusal = (nb_error){.code = NB_OK};
    nb_err err = nb__file_read_own(path, 100, &text, refusal, error);
    assert_true((err == NB_OK) == nb__span_is(nb__text_view(&text), "feed: sim\n"));
    nb__text_fini(&text);
    return err;
}

/* It names the server that gets the secrets, and a command to run. */
static void our_own_file_is_written_by_us_alone(void **state)
{
    (void)state;
    nb_error refusal, error;
    const char *path = in_folder("own");
    assert_int_equal(nb__file_write(path, NB__SPAN("feed: sim\n"), 0600, NULL), NB_OK);
    assert_int_equal(own(path, &refusal, NULL), NB_OK);
    assert_int_equal(refusal.code, NB_OK);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(own(path, &refusal, NULL), NB_OK);
    assert_int_equal(refusal.code, NB_E_CONFIG);
    assert_non_null(strstr(refusal.detail, "others can read it (mode 0644); chmod 600 '"));
    for (unsigned mode = 0620; mode != 0; mode = mode == 0620 ? 0602 : 0) {
        assert_int_equal(chmod(path, mode), 0);
        assert_int_equal(own(path, &refusal, &error), NB_E_CONFIG);
        assert_non_null(strstr(error.detail, "others can write it"));
    }
    assert_int_equal(chmod(path, 0644), 0);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_int_equal(own(path, &refusal, &error), NB_E_CONFIG);
    assert_non_null(strstr(error.detail, "belongs to user 12345"));
}

static void what_is_no_file_holds_no_secret(void **state)
{
    (void)state;
    nb_error error;
    char long_[102];
    assert_int_equal(secret(in_folder("none"), &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "No such file"));
    assert_int_equal(secret(folder, &error), NB_E_CONFIG);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(secret(in_folder("fifo"), &error), NB_E_CONFIG); /* and does not wait */
    memset(long_, 'x', sizeof long_);
    assert_int_equal(nb__file_write(in_folder("long"), (nb_span){long_, 101}, 0600, NULL), NB_OK);
    assert_int_equal(secret(in_folder("long"), &error), NB_E_LIMIT);
}

/* ---- directories and places ---- */

static void directories_are_made_with_their_parents(void **state)
{
    (void)state;
    nb_error error;
    assert_int_equal(nb__directory_make(in_folder("a/b//c/"), NULL), NB_OK);
    assert_int_equal(mode_of(in_folder("a")), 0700);
    assert_int_equal(mode_of(in_folder("a/b/c")), 0700);
    assert_int_equal(nb__directory_make(in_folder("a/b/c"), NULL), NB_OK);
    assert_int_equal(nb__directory_make("/", NULL), NB_OK);
    assert_int_equal(nb__file_write(in_folder("file"), NB__SPAN("x"), 0600, NULL), NB_OK);
    assert_int_equal(nb__directory_make(in_folder("file"), &error), NB_E_SYSTEM);
    assert_non_null(strstr(error.detail, "/file: is no directory"));
    assert_int_equal(nb__directory_make(in_folder("file/a"), &error), NB_E_SYSTEM);
    assert_int_equal(nb__directory_make("", &error), NB_E_ARGUMENT);
}

static void places_follow_the_environment(void **state)
{
    (void)state;
    static const struct {
        const char *home, *variable, *value, *what, *want;
    } cases[] = {
        {"/home/u", "XDG_CONFIG_HOME", NULL, "config", "/home/u/.config/nightbook"},
        {"/home/u", "XDG_STATE_HOME", NULL, "state", "/home/u/.local/state/nightbook"},
        {"/home/u", "XDG_DATA_HOME", NULL, "data", "/home/u/.local/share/nightbook"},
        {"/home/u", "XDG_CONFIG_HOME", "/etc/x", "config", "/etc/x/nightbook"},
        {NULL, "XDG_STATE_HOME", "/var/x", "state", "/var/x/nightbook"},
        {"/home/u", "XDG_DATA_HOME", "", "data", "/home/u/.local/share/nightbook"},
        {"/home/u", "XDG_DATA_HOME", "relative", "data", "/home/u/.local/share/nightbook"},
        {NULL, "XDG_DATA_HOME", NULL, "data", NULL},
        {"", "XDG_DATA_HOME", "relative", "data", NULL},
        {"/home/u", "XDG_DATA_HOME", NULL, "cache", NULL},
    };
    for (size_t i = 0; i < NB__COUNT_OF(cases); i++) {
        char out[64];
        cases[i].home == NULL ? unsetenv("HOME") : setenv("HOME", cases[i].home, 1);
        cases[i].value == NULL ? unsetenv(cases[i].variable)
                               : setenv(cases[i].variable, cases[i].value, 1);
        bool is_known = nb__xdg_path(cases[i].what, out, sizeof out);
        if (is_known != (cases[i].want != NULL) || (is_known && strcmp(out, cases[i].want) != 0))
            fail_msg("case %zu: %s", i, is_known ? out : "none");
    }
    char small[10];
    setenv("HOME", "/home/u", 1);
    assert_false(nb__xdg_path("config", small, sizeof small));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_new, folder_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_replaced_whole),
        TEST(a_file_that_cannot_be_written_stays),
        TEST(a_secret_that_others_can_read_is_refused),
        TEST(a_secret_of_somebody_else_is_refused),
        TEST(our_own_file_is_written_by_us_alone),
        TEST(what_is_no_file_holds_no_secret),
        TEST(directories_are_made_with_their_parents),
        TEST(places_follow_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
