/* SPDX-License-Identifier: MIT
 *
 * From file to configuration: read it without hanging (base/file.h), look for what libconfig takes
 * silently (scan.h), let libconfig parse it and take its settings one by one (take.h), and judge
 * what one setting cannot say alone.
 */
#include "conf/conf.h"
#include "base/account.h"
#include "base/file.h"
#include "base/shortage.h"
#include "conf/scan.h"
#include "conf/settings.h"
#include "conf/take.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define LARGE_BYTES    (UINT64_C(1) << 30)
#define RING_MODE      0644 /* unless it is set */
#define RING_SIZE_MIN  4096u
#define OTHERS_WRITE   0022
#define INSTANCE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_."

int conf_path(const char *instance, char **ret)
{
    char *path;
    int r;

    if (!instance) {
        r = asprintf(&path, "%s/" CONF_MAIN_INSTANCE ".conf", SYSCONFDIR);
    } else if (!*instance || *instance == '.' || strlen(instance) > CONF_INSTANCE_MAX ||
               strcmp(instance, CONF_MAIN_INSTANCE) == 0 ||
               instance[strspn(instance, INSTANCE_CHARS)] != '\0') {
        return -EINVAL;
    } else {
        r = asprintf(&path, "%s/shmd/%s.conf", SYSCONFDIR, instance);
    }
    if (r < 0) {
        return -ENOMEM;
    }
    *ret = path;
    return 0;
}

/* The instance that a file is for: what conf_path() was given, or would have been. */
static char *instance_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return dot && dot > name ? strndup(name, (size_t)(dot - name)) : strdup(name);
}

/* Makes `path:line: text` (no line: `path: text`), and returns -EINVAL. */
__attribute__((format(printf, 4, 0))) static int
vrefuse(const char *path, unsigned line, char **ret_message, const char *format, va_list arguments)
{
    CLEANUP(free_cleanup) char *text = NULL;
    char *message;
    int r;

    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    r = line ? asprintf(&message, "%s:%u: %s", path, line, text)
             : asprintf(&message, "%s: %s", path, text);
    if (r < 0) {
        return -ENOMEM;
    }
    free(*ret_message);
    *ret_message = message;
    return -EINVAL;
}

int conf_message(const char *path, unsigned line, char **ret_message, const char *format, ...)
{
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = vrefuse(path, line, ret_message, format, arguments);
    va_end(arguments);
    return r;
}

int conf_refuse(const struct conf *conf, const char *setting, char **ret_message,
                const char *format, ...)
{
    unsigned line = conf->lines[setting_index(setting_find(setting))];
    va_list arguments;
    int r;

    va_start(arguments, format);
    r = vrefuse(conf->path ? conf->path : "defaults", line, ret_message, format, arguments);
    va_end(arguments);
    return r;
}

int conf_set_text(char **field, const char *text)
{
    char *copy = strdup(text);

    if (!copy) {
        return -ENOMEM;
    }
    free(*field);
    *field = copy;
    return 0;
}

int conf_new(struct conf **ret)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = calloc(1, sizeof(*conf));

    if (!conf) {
        return -ENOMEM;
    }
    conf->uid = CONF_OWN;
    conf->gid = CONF_OWN;
    for (size_t i = 0; i < settings_count; i++) {
        void *field = setting_field(&settings[i], conf);

        if (settings[i].type == SETTING_TEXT) {
            int r = conf_set_text(field, settings[i].text);

            if (r < 0) {
                return r;
            }
        } else if (settings[i].type == SETTING_LIST) {
            char ***list = field;

            *list = calloc(1, sizeof(**list));
            if (!*list) {
                return -ENOMEM;
            }
        } else if (settings[i].type == SETTING_BOOL) {
            *(bool *)field = settings[i].number;
        } else {
            *(uint64_t *)field = settings[i].number;
        }
    }
    *ret = take(conf);
    return 0;
}

struct conf *conf_ref(struct conf *conf)
{
    conf->others++;
    return conf;
}

struct conf *conf_free(struct conf *conf)
{
    if (conf && conf->others > 0) {
        conf->others--;
        return NULL;
    }
    for (size_t i = 0; conf && i < settings_count; i++) {
        if (settings[i].type == SETTING_TEXT) {
            free(*(char **)setting_field(&settings[i], conf));
        } else if (settings[i].type == SETTING_LIST) {
            texts_free(*(char ***)setting_field(&settings[i], conf));
        }
    }
    if (conf) {
        free(conf->path);
        free(conf->instance);
        free(conf->subscribers);
        free(conf->publishers);
    }
    free(conf);
    return NULL;
}

/* Looks a user or group up, by name or number. */
static int id_take(const struct conf *conf, const char *setting, const char *text, bool is_group,
                   uint32_t *ret, char **ret_message)
{
    int r;

    if (!*text) {
        *ret = CONF_OWN;
        return 0;
    }
    r = is_group ? account_group(text, ret) : account_user(text, ret);
    if (r == -ENOENT) {
        return conf_refuse(
            conf, setting, ret_message,
            "%s is \"%s\", which is no %s of this system, expected a name or a number", setting,
            text, is_group ? "group" : "user");
    }
    return r;
}

/* What one setting cannot say alone. */
static int conf_judge(struct conf *conf, char **ret_message)
{
    int r;

    if (conf->size > LARGE_BYTES && !conf->allow_large) {
        return conf_refuse(conf, "size", ret_message,
                           "size is %llu, expected at most %llu (1 GiB) without allow_large = true",
                           (unsigned long long)conf->size, (unsigned long long)LARGE_BYTES);
    }
    if (conf->layout) {
        unsigned line = conf->lines[setting_index(setting_find("mode"))];

        if (line == 0) {
            conf->mode = RING_MODE;
        }
        if (conf->mode & OTHERS_WRITE) {
            return conf_refuse(conf, "mode", ret_message,
                               "mode is \"%04llo\", expected one that lets nobody but the owner "
                               "write, such as \"0644\", with layout = \"ring\"",
                               (unsigned long long)conf->mode);
        }
        if (*conf->owner) {
            return conf_refuse(conf, "owner", ret_message,
                               "owner is \"%s\", expected none with layout = \"ring\": the owner "
                               "could write",
                               conf->owner);
        }
        if (conf->size < RING_SIZE_MIN) {
            return conf_refuse(conf, "size", ret_message,
                               "size is %llu, expected at least %u with layout = \"ring\"",
                               (unsigned long long)conf->size, RING_SIZE_MIN);
        }
    }
    r = id_take(conf, "owner", conf->owner, false, &conf->uid, ret_message);
    if (r < 0) {
        return r;
    }
    return id_take(conf, "group", conf->group, true, &conf->gid, ret_message);
}

/* Says in words why a file cannot be read; keeps the error. */
static int unreadable(const char *path, int error, char **ret_message)
{
    if (error == -EFBIG) {
        (void)conf_message(path, 0, ret_message,
                           "is longer than %zu KiB, expected a short text file",
                           CONF_FILE_MAX / 1024);
    } else if (error == -EISDIR || error == -ENXIO) {
        (void)conf_message(path, 0, ret_message, "is %s, expected a regular file",
                           error == -EISDIR ? "a directory" : "a device, socket or FIFO");
    } else {
        (void)conf_message(path, 0, ret_message, "cannot be read: %s%s", error_text(error),
                           error == -EACCES ? ": let it read the file, and enter its directory"
                                            : "");
    }
    return error;
}

int conf_refuse_empty(const struct conf *conf, char **ret_message)
{
    for (size_t i = 0; i < settings_count; i++) {
        if (conf->lines[i] > 0) {
            return 0;
        }
    }
    return conf_message(conf->path, 0, ret_message,
                        "has no setting, expected at least one for a reload, such as key = %d;",
                        CONF_KEY_DEFAULT);
}

int conf_load(const char *path, struct conf **ret, char **ret_message)
{
    CLEANUP(conf_free_cleanup) struct conf *conf = NULL;
    CLEANUP(free_cleanup) char *raw = NULL;
    CLEANUP(free_cleanup) char *text = NULL;
    const char *reason;
    unsigned line;
    size_t length;
    int r;

    *ret_message = NULL;
    r = conf_new(&conf);
    if (r < 0) {
        return r;
    }
    r = conf_set_text(&conf->path, path);
    if (r < 0) {
        return r;
    }
    conf->instance = instance_of(path);
    if (!conf->instance) {
        return -ENOMEM;
    }
    r = file_read(path, CONF_FILE_MAX, &raw, &length);
    if (r < 0) {
        return unreadable(path, r, ret_message);
    }
    r = conf_scan(raw, length, &text, &line, &reason);
    if (r == -EINVAL) {
        return conf_message(path, line, ret_message, "%s", reason);
    }
    if (r < 0) {
        return r;
    }
    r = conf_take(conf, text, ret_message);
    if (r < 0) {
        return r;
    }
    r = conf_judge(conf, ret_message);
    if (r < 0) {
        return r;
    }
    *ret = take(conf);
    return 0;
}
