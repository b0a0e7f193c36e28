/* SPDX-License-Identifier: MIT
 *
 * The configuration file: whatever is wrong with it is refused, with `path:line: what is wrong,
 * what was expected`, and what is right arrives.
 */
#include "conf/conf.h"
#include "conf/settings.h"

#include "private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syslog.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* libconfig keeps a string that stands where none may. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append";
}

struct fixture {
    char *directory;
    char *path;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f) {
        return -1;
    }
    *state = f;
    f->directory = private_directory_new();
    return f->directory && asprintf(&f->path, "%s/shmd.conf", f->directory) > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->directory = private_directory_free(f->directory);
    free(f->path);
    free(f);
    return 0;
}

static struct conf *load_bytes(const struct fixture *f, const char *text, size_t length)
{
    CLEANUP(free_cleanup) char *message = NULL;
    struct conf *conf = NULL;
    int r;

    assert_true(file_write(f->path, text, length));
    r = conf_load(f->path, &conf, &message);
    if (r < 0) {
        print_error("%s\n", message ? message : "no message");
    }
    assert_int_equal(r, 0);
    assert_null(message);
    assert_non_null(conf);
    return conf;
}

static struct conf *load(const struct fixture *f, const char *text)
{
    return load_bytes(f, text, strlen(text));
}

/* Loads a text that must be refused with `path:line: `, and a message that holds `words`. */
static void assert_refused_bytes(const struct fixture *f, const char *text, size_t length,
                                 unsigned line, const char *words)
{
    CLEANUP(free_cleanup) char *message = NULL;
    CLEANUP(free_cleanup) char *prefix = NULL;
    struct conf *conf = NULL;
    int r;

    assert_true(file_write(f->path, text, length));
    assert_true(asprintf(&prefix, "%s:%u: ", f->path, line) > 0);
    r = conf_load(f->path, &conf, &message);
    if (r != -EINVAL || !message || !strstr(message, words) ||
        strncmp(message, prefix, strlen(prefix)) != 0) {
        print_error("%s\nis: %s\nexpected: %s … %s …\n", text, message ? message : "no message",
                    prefix, words);
    }
    assert_int_equal(r, -EINVAL);
    assert_null(conf);
    assert_non_null(message);
    assert_int_equal(strncmp(message, prefix, strlen(prefix)), 0);
    assert_non_null(strstr(message, words));
    assert_non_null(strstr(message, "expected"));
    assert_null(strchr(message, '\n'));
}

static void assert_refused(const struct fixture *f, const char *text, unsigned line,
                           const char *words)
{
    assert_refused_bytes(f, text, strlen(text), line, words);
}

/* Loads what cannot be read: `path: ` without a line. */
static void assert_unreadable(const char *path, int error, const char *words)
{
    CLEANUP(free_cleanup) char *message = NULL;
    struct conf *conf = NULL;

    assert_int_equal(conf_load(path, &conf, &message), error);
    assert_null(conf);
    assert_non_null(message);
    assert_int_equal(strncmp(message, path, strlen(path)), 0);
    assert_int_equal(strncmp(message + strlen(path), ": ", 2), 0);
    assert_non_null(strstr(message, words));
}

/* The defaults are the original program's contract: key 5678, 27 bytes, mode 0666. */
static void an_empty_file_is_the_default_configuration(void **state)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = load(*state, "");
    const struct fixture *f = *state;

    assert_int_equal(conf->key, 5678);
    assert_int_equal(conf->size, 27);
    assert_false(conf->allow_large);
    assert_int_equal(conf->mode, 0666);
    assert_string_equal(conf->owner, "");
    assert_string_equal(conf->group, "");
    assert_int_equal(conf->uid, CONF_OWN);
    assert_int_equal(conf->gid, CONF_OWN);
    assert_int_equal(conf->poll_interval_ms, 10);
    assert_false(conf->keep);
    assert_false(conf->lock_memory);
    assert_string_equal(conf->source_type, "alphabet");
    assert_int_equal(conf->log_level, LOG_INFO);
    assert_int_equal(conf->log_queue, 4096);
    assert_int_equal(conf->log_rate, 20);
    assert_string_equal(conf->path, f->path);
}

static const char everything[] = "key = 0xFFFFFFFF;\n"
                                 "size = 1099511627776;\n"
                                 "allow_large = true;\n"
                                 "mode = \"0640\";\n"
                                 "owner = \"root\"; group = \"0\";\n"
                                 "poll_interval_ms = 60000;\n"
                                 "keep = true;\n"
                                 "lock_memory = TRUE;\n"
                                 "source = { type = \"alphabet\"; };\n"
                                 "log : { level = \"debug\", queue = 2, rate = 10000 }\n";

static void every_setting_arrives(void **state)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = load(*state, everything);

    assert_int_equal(conf->key, UINT32_MAX);
    assert_int_equal(conf->size, UINT64_C(1) << 40);
    assert_true(conf->allow_large);
    assert_int_equal(conf->mode, 0640);
    assert_int_equal(conf->uid, 0);
    assert_int_equal(conf->gid, 0);
    assert_int_equal(conf->poll_interval_ms, 60000);
    assert_true(conf->keep);
    assert_true(conf->lock_memory);
    assert_string_equal(conf->source_type, "alphabet");
    assert_int_equal(conf->log_level, LOG_DEBUG);
    assert_int_equal(conf->log_queue, 2);
    assert_int_equal(conf->log_rate, 10000);
}

/* libconfig: "4294967296, 0xFFFFFFFF, 20 digits wraps to int silently (0 = IPC_PRIVATE!, -1)" */
static void wide_integers_arrive_whole(void **state)
{
    static const struct {
        const char *text;
        uint64_t key;
    } keys[] = {
        {"key = 1;", 1},
        {"key = 0x1;", 1},
        {"key = 2147483647;", 2147483647},
        {"key = 2147483648;", UINT64_C(2147483648)},
        {"key = 4294967295;", UINT32_MAX},
        {"key = 0xFFFFFFFF;", UINT32_MAX},
        {"key = 0xffffffff;", UINT32_MAX},
        {"key = 0x80000000;", UINT64_C(0x80000000)},
        {"key = 4294967295L;", UINT32_MAX},
        {"key = 0xFFFFFFFFLL;", UINT32_MAX},
        {"key = 5678L;", 5678},
    };

    for (size_t i = 0; i < COUNT(keys); i++) {
        CLEANUP(conf_free_cleanup) struct conf *conf = load(*state, keys[i].text);

        assert_int_equal(conf->key, keys[i].key);
    }
}

static void integers_out_of_range_are_refused_with_their_value(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } rows[] = {
        {"\nkey = 0;", "key is 0, expected 1 to 4294967295"},
        {"\nkey = -1;", "key is -1,"},
        {"\nkey = 4294967296;", "key is 4294967296,"},
        {"\nkey = 0x100000000;", "key is 4294967296,"},
        {"\nkey = 4294967296L;", "key is 4294967296,"},
        {"\nkey = 9223372036854775807;", "key is 9223372036854775807,"},
        {"\nkey = 99999999999999999999;", "64 bits"},
        {"\nkey = 18446744073709551616L;", "64 bits"},
        {"\nsize = 0;", "size is 0, expected 2 to 1099511627776"},
        {"\nsize = 1;", "size is 1,"},
        {"\nsize = -27;", "size is -27,"},
        {"\nsize = 1099511627777;", "size is 1099511627777,"},
        {"\npoll_interval_ms = 0;", "poll_interval_ms is 0, expected 1 to 60000"},
        {"\npoll_interval_ms = 60001;", "poll_interval_ms is 60001,"},
        {"log = {\nqueue = 1; };", "log.queue is 1, expected 2 to 4096"},
        {"log = {\nqueue = 4097; };", "log.queue is 4097,"},
        {"log = {\nqueue = 4294967298; };", "log.queue is 4294967298,"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(*state, rows[i].text, 2, rows[i].words);
    }
}

static void ranges_include_their_ends(void **state)
{
    static const char *const texts[] = {
        "key = 1;",
        "key = 4294967295;",
        "size = 2;",
        "size = 1073741824;",
        "size = 1099511627776; allow_large = true;",
        "poll_interval_ms = 1;",
        "poll_interval_ms = 60000;",
        "log = { queue = 2; };",
        "log = { queue = 4096; };",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        CLEANUP(conf_free_cleanup) struct conf *conf = load(*state, texts[i]);

        assert_non_null(conf);
    }
}

/* "size over 1 GiB without `allow_large = true`": refused with the line of size. */
static void a_large_segment_must_be_allowed(void **state)
{
    assert_refused(*state, "key = 1;\nsize = 1073741825;\n", 2,
                   "size is 1073741825, expected at most 1073741824 (1 GiB) without allow_large");
    assert_refused(*state, "allow_large = false;\n\nsize = 2000000000;\n", 3, "allow_large = true");
    (void)conf_free(load(*state, "size = 1073741825;\nallow_large = true;\n"));
}

/*
 * libconfig: "1.5, "5", true, [] for a number: looks absent": say what stands there, and what
 * should; each kind of value for each kind of setting.
 */
static void a_wrong_type_is_refused_with_the_expected_one(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } rows[] = {
        /* numbers */
        {"\nkey = 1.5;", "key is the fraction 1.5, expected an integer"},
        {"\nkey = 1e3;", "key is the fraction 1000, expected an integer"},
        {"\nkey = \"5\";", "key is the string \"5\", expected an integer, without quotes: 5"},
        {"\nkey = \"0x10\";", "expected an integer, without quotes: 16"},
        {"\nkey = \"-5\";", "key is the string \"-5\", expected an integer"},
        {"\nkey = \"\";", "key is the string \"\", expected an integer"},
        {"\nsize = \"4096\";", "expected an integer, without quotes: 4096"},
        {"\nsize = \"1M\";", "expected an integer, without quotes and unit: 1048576"},
        {"\nsize = \"64 KiB\";", "size is the string \"64 KiB\", expected an integer"},
        {"\nlease_ms = \"10s\";", "lease_ms is the string \"10s\", expected an integer"},
        {"\nkey = true;", "key is true, expected an integer"},
        {"\nkey = [];", "key is a list, expected an integer"},
        {"\nkey = ();", "key is a list, expected an integer"},
        {"\nkey = { };", "key is a group, expected an integer"},
        {"\nkey = [ 5678 ];", "key is a list, expected an integer"},
        {"log = {\nqueue = \"16\"; };", "log.queue is the string \"16\", expected an integer"},
        /* true and false */
        {"\nkeep = 1;", "keep is the integer 1, expected true or false"},
        {"\nkeep = \"true\";",
         "keep is the string \"true\", expected true or false, without quotes"},
        {"\nkeep = \"yes\";", "keep is the string \"yes\", expected true or false, without quotes"},
        {"\nallow_large = 4294967296;", "allow_large is the integer 4294967296, expected true or"},
        {"\nlock_memory = 0.0;", "lock_memory is the fraction 0, expected true or false"},
        {"\nkeep = [ true ];", "keep is a list, expected true or false"},
        /* modes */
        {"\nmode = 0666;",
         "mode is the integer 666, expected a string of octal digits, such as \""},
        {"\nmode = 438;", "mode is the integer 438"},
        {"\nmode = 0x1B6;", "mode is the integer 438"},
        {"\nmode = false;", "mode is false, expected a string of octal digits"},
        /* texts and choices */
        {"\nowner = 0;", "owner is the integer 0, expected a string"},
        {"\nowner = -1;", "owner is the integer -1, expected a string"},
        {"\ngroup = true;", "group is true, expected a string"},
        {"\nlayout = 1;", "layout is the integer 1, expected a string"},
        {"source = {\ntype = 1; };", "source.type is the integer 1, expected a string"},
        {"source = {\npath = [\"/x\"]; };", "source.path is a list, expected a string"},
        {"log = {\nlevel = 6; };", "log.level is the integer 6, expected a string"},
        /* names */
        {"allow = {\nsubscribe = [\"alice\", \"bob\"]; };",
         "allow.subscribe is a list, expected a string of names with spaces between them, such as "
         "\"alice bob\""},
        {"allow = {\npublish = 1000; };",
         "allow.publish is the integer 1000, expected a string of"},
        /* lists */
        {"source = {\ncommand = \"/bin/x -y\"; };", "source.command is the string \"/bin/x -y\", "
                                                    "expected a list of strings, such as [\"one\", "
                                                    "\"two\"]"},
        {"source = {\nenvironment = \"A=b\"; };",
         "source.environment is the string \"A=b\", expected"},
        {"source = {\ncommand = 1; };", "source.command is the integer 1, expected a list"},
        {"source = { command =\n[1]; };",
         "source.command has the integer 1 in it, expected a list"},
        {"source = { command = [\n\"/x\", \"y\" \"z\"], environment = ((\"A=b\")); };",
         "source.environment has a list in it, expected a list of strings"},
        /* groups */
        {"\nsource = \"push\";",
         "source is the string \"push\", expected a group: source = { type = ...; };"},
        {"\nallow = \"alice, bob\";", "expected a group: allow = { subscribe = ...; };"},
        {"\nsource = [];", "source is a list, expected a group"},
        {"\nlog = 6;", "log is the integer 6, expected a group: log = { level = ...; };"},
        {"\nlimits = 6;",
         "limits is the integer 6, expected a group: limits = { sessions = ...; };"},
        /* a long one is cut */
        {"\nkey = \"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee\";",
         "key is the string \"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd…\", expected an integer"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(*state, rows[i].text, 2, rows[i].words);
    }
}

/* Only the daemon writes a ring; and it has to hold something. */
static void what_is_no_ring_is_refused(void **state)
{
    assert_refused(*state, "layout = \"ring\";\nsize = 4096;\nmode = \"0666\";", 3,
                   "mode is \"0666\", expected one that lets nobody but the owner write");
    assert_refused(*state, "layout = \"ring\";\nsize = 4096;\nmode = \"0620\";", 3,
                   "mode is \"0620\"");
    assert_refused(*state, "owner = \"root\";\nlayout = \"ring\";\nsize = 4096;", 1,
                   "owner is \"root\", expected none with layout = \"ring\"");
    assert_refused(*state, "layout = \"ring\";\nsize = 4095;", 2,
                   "size is 4095, expected at least 4096 with layout = \"ring\"");
}

/* "unknown or misspelt setting: accepted": walk the tree, refuse with its line. */
static void an_unknown_setting_is_refused_with_its_line(void **state)
{
    assert_refused(*state, "key = 1;\n\nkye = 2;\n", 3, "unknown setting kye");
    assert_refused(*state, "Key = 1;", 1, "unknown setting Key");
    assert_refused(*state, "log = {\n  level = \"info\";\n  nonsense = 1;\n};", 3,
                   "unknown setting log.nonsense");
    assert_refused(*state, "source = {\n type = \"alphabet\";\n deeper = { key = 1; };\n};", 3,
                   "unknown setting source.deeper");
    assert_refused(*state, "log = {\n\nlog = { level = \"info\"; };\n};", 3,
                   "unknown setting log.log");
    assert_refused(*state, "\nlevel = \"info\";", 2, "unknown setting level");
    assert_refused(*state, "type = \"alphabet\";", 1, "unknown setting type");
    assert_refused(*state, "uid = 0;", 1, "unknown setting uid");
    assert_refused(*state, "lo = { };", 1, "unknown setting lo");
    assert_refused(
        *state,
        "\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1;", 2,
        "unknown setting aaaa");
}

/* A setting that stands twice is a mistake, whichever was meant. */
static void a_duplicate_is_refused(void **state)
{
    assert_refused(*state, "key = 1;\nkey = 1;\n", 2,
                   "duplicate setting key, expected it once: it stands in line 1, too");
    assert_refused(*state, "log = { };\n\nlog = { };\n", 3, "duplicate setting log, ");
    assert_refused(*state,
                   "# one\nlog = {\n  queue = 2; /* \n */ level = \"err\";\n queue = 2; };\n", 5,
                   "duplicate setting log.queue, expected it once: it stands in line 3, too");
}

static void a_syntax_error_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *words;
    } rows[] = {
        {"key = 1;\nsize 2;\n", 2, "after size comes 2, expected = and an integer"},
        {"keep\nkey = 1;", 2, "after keep comes key, expected = and true or false"},
        {"key", 1, "after key comes the end of the file, expected = and an integer"},
        {"key = ;", 1, "key has no value before ;, expected an integer"},
        {"key = 1;\nmode =\n", 3,
         "mode has no value before the end of the file, expected a string of octal digits, such "
         "as \"0644\""},
        {"= 5;", 1, "= stands where a setting begins, expected: name = value;"},
        {"key = 1;;", 1, "; stands where a setting begins, expected: name = value;"},
        {"key = 1; }", 1, "} stands where a setting begins"},
        {"\"key\" = 1;", 1, "\"key\" stands where a setting begins"},
        {"key = 1\nsize = 2 \"x\";", 2, "after the value of size comes \"x\", expected ;"},
        {"key = 1 = 2;", 1, "after the value of key comes =, expected ;"},
        /* values */
        {"keep = yes;", 1, "keep is yes, expected true or false"},
        {"keep = on;", 1, "keep is on, expected true or false"},
        {"key = 5678abc;", 1, "key is 5678abc, expected an integer"},
        {"key = 12LLL;", 1, "key is 12LLL, expected an integer"},
        {"key = abc;", 1, "key is abc, expected an integer"},
        {"key = 0xyz;", 1, "key is 0xyz, expected an integer"},
        {"size = 1M;", 1, "size is 1M, expected an integer without a unit: 1048576"},
        {"size = 64KiB;", 1, "size is 64KiB, expected an integer without a unit: 65536"},
        {"\nsize = 1.2.3;", 2, "size is 1.2.3, expected an integer"},
        {"size = -;", 1, "size is -, expected an integer"},
        {"layout = ring;", 1, "layout is ring, expected a string, in quotes: \"ring\""},
        {"source = { type = push; };", 1,
         "source.type is push, expected a string, in quotes: \"push\""},
        {"\nowner = \"a\nb", 2, "a string that does not end, expected a closing quote"},
        {"owner = \"a\\\"", 1, "a string that does not end, expected a closing quote"},
        {"owner = \"", 1, "a string that does not end, expected a closing quote"},
        {"source = { path = /tmp/x; };", 1, "source.path has no value before /, expected a string"},
        {"key = `1`;", 1, "key has no value before `, expected an integer"},
        /* groups and lists */
        {"source.type = \"push\";", 1,
         "source.type is in the group source, expected: source = { type = ...; };"},
        {"\n\nlog = {\n", 3, "log is a group that does not end, expected a }"},
        {"log { level = \"err\"; };", 1, "after log comes {, expected = and a group: { ... }"},
        {"source = push;", 1, "source is push, expected a group: { ... }"},
        {"source = { command = [ \"/bin/true\"; };", 1,
         "source.command has ; in its list, expected a comma or ]"},
        {"source = { command = [ \"/bin/true\",\n", 1,
         "source.command is a list that does not end, expected a ]"},
        {"source = { command = [ /bin/true ]; };", 1, "source.command has no value before /"},
        /* with long tokens, and bytes that are no text */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;", 1,
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… comes ;"},
        {"key = \x01;", 1, "key has no value before the byte 0x01"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_refused(*state, rows[i].text, rows[i].line, rows[i].words);
    }
    assert_refused(*state, "\xef\xbb\xbfkey = 1;", 1, "byte order mark");
}

/* libconfig: "deep nesting: "memory exhausted", no crash" */
static void deep_nesting_is_refused(void **state)
{
    static char text[20001];

    memset(text, '(', 20000);
    memcpy(text, "key = ", 6);
    assert_refused(*state, text, 1, "expected: name = value;");
}

static void a_mode_is_a_string_that_lets_the_owner_read_and_write(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
    } fine[] = {
        {"mode = \"0600\";", 0600}, {"mode = \"0777\";", 0777}, {"mode = \"666\";", 0666},
        {"mode = \"0644\";", 0644}, {"mode = \"0622\";", 0622},
    };
    static const char *const wrong[] = {"",      "0",     "0000", "0400",  "0200", "0066",
                                        "1666",  "4666",  "0668", "rw",    "u=rw", "66",
                                        "06666", "0x1b6", " 666", "0666 ", "-666"};

    for (size_t i = 0; i < COUNT(fine); i++) {
        CLEANUP(conf_free_cleanup) struct conf *conf = load(*state, fine[i].text);

        assert_int_equal(conf->mode, fine[i].mode);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char text[64], words[64];

        (void)snprintf(text, sizeof(text), "\nmode = \"%s\";", wrong[i]);
        (void)snprintf(words, sizeof(words), "mode is \"%s\", expected octal", wrong[i]);
        assert_refused(*state, text, 2, words);
    }
}

static void a_log_level_is_one_of_five(void **state)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {{"err", LOG_ERR},
                  {"warning", LOG_WARNING},
                  {"notice", LOG_NOTICE},
                  {"info", LOG_INFO},
                  {"debug", LOG_DEBUG}};

    for (size_t i = 0; i < COUNT(levels); i++) {
        CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
        char text[64];

        (void)snprintf(text, sizeof(text), "log = { level = \"%s\"; };", levels[i].name);
        conf = load(*state, text);
        assert_int_equal(conf->log_level, levels[i].level);
    }
    assert_refused(*state, "log = { level = \"\"; };", 1,
                   "log.level is \"\", expected one of: err, warning, notice, info, debug");
    assert_refused(*state, "log = { level = \"INFO\"; };", 1, "log.level is \"INFO\"");
    assert_refused(*state, "log = { level = \"6\"; };", 1, "log.level is \"6\"");
}

static void owner_and_group_are_looked_up_by_name_or_number(void **state)
{
    CLEANUP(conf_free_cleanup) struct conf *names = load(*state, "owner=\"root\";group=\"root\";");
    CLEANUP(conf_free_cleanup)
    struct conf *numbers = load(*state, "owner = \"4242\"; group = \"0x10\";");
    CLEANUP(conf_free_cleanup)
    struct conf *last = load(*state, "owner = \"4294967294\"; group = \"4294967294\";");

    assert_int_equal(names->uid, 0);
    assert_int_equal(names->gid, 0);
    assert_int_equal(numbers->uid, 4242);
    assert_int_equal(numbers->gid, 16);
    assert_int_equal(last->uid, CONF_OWN - 1);
    assert_int_equal(last->gid, CONF_OWN - 1);
}

static void who_does_not_exist_is_refused(void **state)
{
    assert_refused(*state, "\nowner = \"no such user\";", 2,
                   "owner is \"no such user\", which is no user of this system");
    assert_refused(*state, "\n\ngroup = \"no such group\";", 3,
                   "group is \"no such group\", which is no group of this system");
    /* -1 means "unchanged" to the kernel. */
    assert_refused(*state, "owner = \"4294967295\";", 1, "owner is \"4294967295\"");
    assert_refused(*state, "group = \"4294967296\";", 1, "group is \"4294967296\"");
    assert_refused(*state, "owner = \"-1\";", 1, "owner is \"-1\"");
    assert_refused(*state, "owner = \" \";", 1, "owner is \" \"");
}

/* libconfig: "NUL in a string: cut silently": refuse NUL bytes before parsing. */
static void a_nul_byte_is_refused(void **state)
{
    assert_refused_bytes(*state, "\nowner = \"root\0x\";", 17, 2, "NUL");
    assert_refused_bytes(*state, "key = 1;\n\0key = 2;", 18, 2, "NUL");
}

static void an_include_is_refused_but_not_in_a_comment(void **state)
{
    assert_refused(*state, "key = 1;\n@include \"/etc/shmd.conf\"\n", 2, "@include");
    (void)conf_free(load(*state, "# @include \"x\"\n// @include\n/* @include \"x\" */ key = 1;"));
}

/* libconfig: "10 MB string: 41 s of processor time": cap the file at 64 KiB. */
static void a_file_of_64_kib_is_read_and_a_longer_one_is_not(void **state)
{
    static char text[CONF_FILE_MAX + 1];
    const struct fixture *f = *state;

    memset(text, '#', sizeof(text));
    memcpy(text, "key = 77;\n", 10);
    text[CONF_FILE_MAX - 1] = '\n';
    (void)conf_free(load_bytes(f, text, CONF_FILE_MAX));
    assert_true(file_write(f->path, text, CONF_FILE_MAX + 1));
    assert_unreadable(f->path, -EFBIG, "64 KiB");
}

/* libconfig: "missing, directory, unreadable: no name, line 0": say why. "FIFO: hangs" */
static void what_is_no_readable_file_is_refused_and_never_hangs(void **state)
{
    const struct fixture *f = *state;

    assert_unreadable(f->path, -ENOENT, "No such file");
    assert_unreadable(f->directory, -EISDIR, "is a directory, expected a regular file");
    assert_unreadable("/dev/null", -ENXIO, "device, socket or FIFO");
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_unreadable(f->path, -ENXIO, "device, socket or FIFO, expected a regular file");
    assert_unreadable("", -ENOENT, "cannot be read");
}

static bool is_unreadable(void *userdata)
{
    const struct fixture *f = userdata;
    CLEANUP(free_cleanup) char *message = NULL;
    struct conf *conf = NULL;

    return conf_load(f->path, &conf, &message) == -EACCES && message &&
           strstr(message, "cannot be read: Permission denied for user nobody: let it read");
}

static void a_file_that_may_not_be_read_is_refused(void **state)
{
    struct fixture *f = *state;

    SKIP_UNLESS_ROOT();
    assert_true(file_write(f->path, "", 0));
    assert_int_equal(chmod(f->directory, 0755), 0);
    assert_int_equal(check_as(PRIVATE_NOBODY, is_unreadable, f), 0);
}

static char *dump(const struct conf *conf)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);

    assert_non_null(file);
    conf_dump(conf, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void assert_equal_settings(struct conf *a, struct conf *b)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (!conf_same(a, b, settings[i].path)) {
            fail_msg("%s differs", settings[i].path);
        }
    }
    assert_int_equal(a->uid, b->uid);
    assert_int_equal(a->gid, b->gid);
}

/* --dump-config: "the effective configuration … in the file's own format" */
static void the_dump_of_any_configuration_loads_again_and_is_equal(void **state)
{
    static const char *const texts[] = {
        "",
        everything,
        "key = 2147483648; size = 2147483648; allow_large = true;",
        "source = { type = \"a \\\"quoted\\\" back\\\\slash\"; };",
        "source = { type = \"tab\\t line\\n return\\r \\x01 \\x7f\"; };",
        "source = { type = \"@include \\\"x\\\" # // /* 99999999999999999999\"; };",
        "source = { type = \"\xc3\xa9t\xc3\xa9 \xff\"; };",
        "source = { type = \"\"; };",
        "source = { command = [\"/bin/echo\", \"\", \"a \\\"b\\\"\"]; environment = (\"A=b\"); };",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        CLEANUP(conf_free_cleanup) struct conf *before = load(*state, texts[i]);
        CLEANUP(free_cleanup) char *text = dump(before);
        CLEANUP(conf_free_cleanup) struct conf *after = load(*state, text);

        assert_equal_settings(before, after);
    }
}

/* Two configurations differ in a setting of each type, and in nothing else. */
static void what_differs_is_told_from_what_is_the_same(void **state)
{
    static const char *const others[] = {
        "source = { watch = true; };",         "source = { timeout_ms = 7; };",
        "source = { framing = \"length\"; };", "source = { path = \"/x\"; };",
        "source = { command = [\"/x\"]; };",
    };
    CLEANUP(conf_free_cleanup) struct conf *plain = load(*state, "");
    CLEANUP(conf_free_cleanup) struct conf *mode = load(*state, "mode = \"0600\";");

    assert_true(conf_same(plain, mode, "source."));
    assert_false(conf_same(plain, mode, "mode"));
    for (size_t i = 0; i < COUNT(others); i++) {
        CLEANUP(conf_free_cleanup) struct conf *other = load(*state, others[i]);

        assert_false(conf_same(plain, other, "source."));
        assert_false(conf_same(other, plain, "source."));
        assert_true(conf_same(other, other, "source."));
        assert_true(conf_same(plain, other, "log."));
    }
}

/* A list's texts, in order; anything else in it is refused with its line. */
static void a_list_is_taken_as_it_stands(void **state)
{
    CLEANUP(conf_free_cleanup)
    struct conf *conf = load(*state, "source = { command = [\"/bin/echo\", \"\", \"a b\"]; };");

    assert_string_equal(conf->source_command[0], "/bin/echo");
    assert_string_equal(conf->source_command[1], "");
    assert_string_equal(conf->source_command[2], "a b");
    assert_null(conf->source_command[3]);
    assert_null(conf->source_environment[0]);
}

/* "all settings, commented" */
static void the_dump_names_and_explains_every_setting(void **state)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = load(*state, "");
    CLEANUP(free_cleanup) char *text = dump(conf);

    for (size_t i = 0; i < settings_count; i++) {
        const char *dot = strchr(settings[i].path, '.');
        char line[128];

        (void)snprintf(line, sizeof(line), "%s = ", dot ? dot + 1 : settings[i].path);
        assert_non_null(strstr(text, line));
        assert_non_null(strstr(text, settings[i].help));
    }
}

/* What only the daemon can judge has the line of its setting, too. */
static void a_later_refusal_has_the_line_of_its_setting(void **state)
{
    CLEANUP(conf_free_cleanup)
    struct conf *conf = load(*state, "key = 1;\nsource = {\n type = \"numbers\";\n};");
    CLEANUP(free_cleanup) char *message = NULL;
    CLEANUP(free_cleanup) char *expected = NULL;
    const struct fixture *f = *state;

    assert_true(asprintf(&expected, "%s:3: bad numbers", f->path) > 0);
    assert_int_equal(conf_refuse(conf, "source.type", &message, "bad %s", conf->source_type),
                     -EINVAL);
    assert_string_equal(message, expected);
    /* Not in the file: no line. */
    free(expected);
    assert_true(asprintf(&expected, "%s: bad", f->path) > 0);
    assert_int_equal(conf_refuse(conf, "size", &message, "bad"), -EINVAL);
    assert_string_equal(message, expected);
}

static void an_instance_has_a_file_of_its_name(void **state)
{
    static const char *const names[] = {"",    ".",   "..", ".a", "a/b", "/etc/passwd", "../shmd",
                                        "a b", "a\n", "é",  "a*", "a%",  "a\\",         "shmd"};
    char *path = NULL;

    (void)state;
    assert_int_equal(conf_path(NULL, &path), 0);
    assert_string_equal(path, SYSCONFDIR "/shmd.conf");
    free(path);
    assert_int_equal(conf_path("second:a-b_c.d9", &path), 0);
    assert_string_equal(path, SYSCONFDIR "/shmd/second:a-b_c.d9.conf");
    free(take(path));
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(conf_path(names[i], &path), -EINVAL);
        assert_null(path);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TEST_GROUP("test-conf")
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_file_is_the_default_configuration),
        TEST(every_setting_arrives),
        TEST(wide_integers_arrive_whole),
        TEST(integers_out_of_range_are_refused_with_their_value),
        TEST(ranges_include_their_ends),
        TEST(a_large_segment_must_be_allowed),
        TEST(a_wrong_type_is_refused_with_the_expected_one),
        TEST(what_is_no_ring_is_refused),
        TEST(an_unknown_setting_is_refused_with_its_line),
        TEST(a_duplicate_is_refused),
        TEST(a_syntax_error_is_refused_with_its_line),
        TEST(deep_nesting_is_refused),
        TEST(a_mode_is_a_string_that_lets_the_owner_read_and_write),
        TEST(a_log_level_is_one_of_five),
        TEST(owner_and_group_are_looked_up_by_name_or_number),
        TEST(who_does_not_exist_is_refused),
        TEST(a_nul_byte_is_refused),
        TEST(an_include_is_refused_but_not_in_a_comment),
        TEST(a_file_of_64_kib_is_read_and_a_longer_one_is_not),
        TEST(what_is_no_readable_file_is_refused_and_never_hangs),
        TEST(a_file_that_may_not_be_read_is_refused),
        TEST(the_dump_of_any_configuration_loads_again_and_is_equal),
        TEST(what_differs_is_told_from_what_is_the_same),
        TEST(a_list_is_taken_as_it_stands),
        TEST(the_dump_names_and_explains_every_setting),
        TEST(a_later_refusal_has_the_line_of_its_setting),
        TEST(an_instance_has_a_file_of_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
