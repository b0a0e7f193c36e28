/* SPDX-License-Identifier: MIT */
#include "source/way.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel has it */

struct way {
    char at[PATH_MAX];   /* a directory, without a link in its path */
    char rest[PATH_MAX]; /* of the path, from there on */
    unsigned links;
};

/* Takes the first name of what is left; false: nothing is. */
static bool take_name(struct way *way, char name[NAME_MAX + 1])
{
    size_t slashes = strspn(way->rest, "/");
    size_t length = strcspn(way->rest + slashes, "/");

    if (length == 0 || length > NAME_MAX) {
        return false;
    }
    memcpy(name, way->rest + slashes, length);
    name[length] = '\0';
    memmove(way->rest, way->rest + slashes + length, strlen(way->rest + slashes + length) + 1);
    return true;
}

static bool begins_at_root(const char *path)
{
    return path[0] == '/';
}

static void go_up(struct way *way)
{
    char *slash = strrchr(way->at, '/');

    if (slash && slash[1] != '\0') {
        slash[slash == way->at] = '\0'; /* the root keeps its slash */
    }
}

/* The link is in the place of its name. */
static bool follow_link(struct way *way, const char *link)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t length = readlink(link, target, sizeof(target) - 1);

    if (length <= 0 || ++way->links > LINKS_MAX) {
        return false;
    }
    target[length] = '\0';
    memcpy(rest, way->rest, sizeof(rest));
    if ((size_t)snprintf(way->rest, sizeof(way->rest), "%s%s", target, rest) >= sizeof(way->rest)) {
        return false;
    }
    if (begins_at_root(target)) {
        (void)strcpy(way->at, "/");
    }
    return true;
}

void way_walk(const char *path, way_step step, void *userdata)
{
    struct way way = {.at = "/"};
    char name[NAME_MAX + 1], next[PATH_MAX];

    if (!begins_at_root(path) || strlen(path) >= sizeof(way.rest)) {
        return;
    }
    (void)strcpy(way.rest, path);
    while (take_name(&way, name)) {
        struct stat st;

        if (strcmp(name, ".") == 0) {
            continue;
        }
        if (strcmp(name, "..") == 0) {
            go_up(&way);
            continue;
        }
        step(userdata, way.at, name);
        if ((size_t)snprintf(next, sizeof(next), "%s/%s", way.at[1] ? way.at : "", name) >=
                sizeof(next) ||
            lstat(next, &st) < 0) {
            return;
        }
        if (!S_ISLNK(st.st_mode)) {
            memcpy(way.at, next, sizeof(next));
        } else if (!follow_link(&way, next)) {
            return;
        }
    }
}
