/* A disk as another file system, or another machine, would be: preloaded into a process.

   DISK_MOUNTS  a file that is read in place of /proc/self/mountinfo
   DISK_HOST    the machine's name
   DISK_LOCKS   what comes of locks (fcntl): "ENOLCK", "EOPNOTSUPP", "hang", "lie" (nothing is done and
                success is said), "stick" (none is ever given back); else they work
   DISK_DELAY   up to so many microseconds are waited before each lock, rename, link and removal
   DISK_LINKS   "none": there are no hard links; "repeat": each is made, and then said to exist
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static void delay(void)
{
    int most = atoi(setting("DISK_DELAY"));
    static unsigned seed;
    if (!seed)
        seed = (unsigned)getpid();
    if (most > 0)
        usleep((useconds_t)(rand_r(&seed) % most));
}

static int locked(int (*next)(int, int, ...), int fd, int cmd, void *argument)
{
    const char *locks = setting("DISK_LOCKS");
    if (cmd == F_SETLK || cmd == F_SETLKW) {
        struct flock *lock = argument;
        delay();
        if (!strcmp(locks, "ENOLCK"))
            return errno = ENOLCK, -1;
        if (!strcmp(locks, "EOPNOTSUPP"))
            return errno = EOPNOTSUPP, -1;
        if (!strcmp(locks, "hang"))
            for (;;)
                pause();
        if (!strcmp(locks, "lie") || (!strcmp(locks, "stick") && lock->l_type == F_UNLCK))
            return 0;
    }
    return next(fd, cmd, argument);
}

#define FCNTL(name)                                                        \
    int name(int fd, int cmd, ...)                                         \
    {                                                                      \
        va_list rest;                                                      \
        va_start(rest, cmd);                                               \
        void *argument = va_arg(rest, void *);                             \
        va_end(rest);                                                      \
        return locked((int (*)(int, int, ...))dlsym(RTLD_NEXT, #name), fd, \
                      cmd, argument);                                      \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define OPEN(name)                                                          \
    int name(const char *path, int flags, ...)                              \
    {                                                                       \
        va_list rest;                                                       \
        va_start(rest, flags);                                              \
        mode_t mode = va_arg(rest, mode_t);                                 \
        va_end(rest);                                                       \
        if (*setting("DISK_MOUNTS") && !strcmp(path, "/proc/self/mountinfo")) \
            path = setting("DISK_MOUNTS");                                  \
        return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(  \
            path, flags, mode);                                             \
    }
OPEN(open)
OPEN(open64)

int uname(struct utsname *name)
{
    int status = ((int (*)(struct utsname *))dlsym(RTLD_NEXT, "uname"))(name);
    if (*setting("DISK_HOST"))
        snprintf(name->nodename, sizeof name->nodename, "%s", setting("DISK_HOST"));
    return status;
}

int rename(const char *from, const char *to)
{
    delay();
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int unlink(const char *path)
{
    delay();
    return ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(path);
}

static int linked(int status)
{
    if (!strcmp(setting("DISK_LINKS"), "repeat") && !status)
        return errno = EEXIST, -1;
    return status;
}

int link(const char *from, const char *to)
{
    delay();
    if (!strcmp(setting("DISK_LINKS"), "none"))
        return errno = EPERM, -1;
    return linked(((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link"))(from, to));
}

int linkat(int old, const char *from, int new, const char *to, int flags)
{
    delay();
    if (!strcmp(setting("DISK_LINKS"), "none"))
        return errno = EPERM, -1;
    return linked(((int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat"))(
        old, from, new, to, flags));
}
