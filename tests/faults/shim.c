/* Between a process and libc: records, kills at or fails the operations that change files.
 *
 * Loaded by LD_PRELOAD and asleep until faults_arm() is called. From then on each operation that
 * changes something under one folder is done and written to a log in one step, so that the log's
 * order is the order of the changes. Libraries in C (HDF5, OpenCV's FFmpeg, numpy's fwrite) pass
 * through here as Python does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, SIZE, WRITE, RENAME, UNLINK, MKDIR, RMDIR, LINK, SYNC, SYMLINK };
enum { MAY_OPEN = 1, MAY_WRITE = 2, MAY_RENAME = 4, MAY_SYNC = 8, MAY_MKDIR = 16, MAY_REMOVE = 32 };

struct head {
    uint32_t kind, flags;
    uint64_t number, inode;
    int64_t offset;
    uint32_t first, second, length;
} __attribute__((packed));

static int armed, log_fd = -1, sticky, error;
static unsigned mask;
static long done, candidates, kill_at, fail_at;
static char root[PATH_MAX];
static size_t root_length;
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* Begin. kill_at: SIGKILL before the operation of that number, from 1; 0 for never. fail_at: the
 * operation of that number among those of the mask fails with the error, or all from it on. */
void faults_arm(const char *folder, const char *log, long kill, long fail, int with, unsigned of,
                int from_there_on) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    log_fd = log && *log ? syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600)
                         : -1;
    kill_at = kill, fail_at = fail, error = with, mask = of, sticky = from_there_on;
    done = candidates = 0;
    armed = 1;
}

/* The end: how many operations there were, and how many that might have failed. */
long faults_disarm(long *might_fail) {
    armed = 0;
    if (might_fail) *might_fail = candidates;
    return done;
}

#define REAL(name, type, ...)                                   \
    static type (*real)(__VA_ARGS__);                           \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int under(const char *path) {
    return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return under(path);
}

/* An absolute path without "." at its end; whether it is one of ours. */
static int resolve(int at, const char *given, char *path) {
    if (!given) return 0;
    if (given[0] == '/') {
        snprintf(path, PATH_MAX, "%s", given);
    } else {
        char base[PATH_MAX];
        if (at == AT_FDCWD) {
            if (syscall(SYS_getcwd, base, sizeof base) < 0) return 0;
        } else if (!path_of(at, base)) {
            return 0;
        }
        if (snprintf(path, PATH_MAX, "%s/%s", base, given) >= PATH_MAX) return 0;
    }
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;
    return under(path);
}

static uint64_t inode_at(const char *path) {
    struct stat about;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &about, AT_SYMLINK_NOFOLLOW) ? 0 : about.st_ino;
}

static uint64_t inode_of(int fd) {
    struct stat about;
    return fstat(fd, &about) ? 0 : about.st_ino;
}

static void note(uint32_t kind, uint32_t flags, uint64_t inode, int64_t offset, const char *first,
                 const char *second, const void *data, size_t length) {
    if (log_fd < 0) return;
    struct head head = {kind, flags, done, inode, offset, first ? strlen(first) : 0,
                        second ? strlen(second) : 0, length};
    struct iovec parts[4] = {{&head, sizeof head},
                             {(void *)first, head.first},
                             {(void *)second, head.second},
                             {(void *)data, length}};
    syscall(SYS_writev, log_fd, parts, 4);
}

/* To be called, with the lock, before an operation: whether it is to fail. */
static int fails(unsigned which) {
    done++;
    if (kill_at && done == kill_at) kill(getpid(), SIGKILL);
    if (!(which & mask)) return 0;
    candidates++;
    if (fail_at && (sticky ? candidates >= fail_at : candidates == fail_at)) {
        errno = error;
        return 1;
    }
    return 0;
}

#define HOLD pthread_mutex_lock(&lock)
#define GIVE                                \
    do {                                    \
        int kept = errno;                   \
        pthread_mutex_unlock(&lock);        \
        errno = kept;                       \
    } while (0)

static int opened(int at, const char *given, int flags, mode_t mode) {
    REAL("openat64", int, int, const char *, int, ...);
    char path[PATH_MAX];
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (!armed || !writes || (flags & __O_TMPFILE) == __O_TMPFILE || !resolve(at, given, path))
        return real(at, given, flags, mode);
    HOLD;
    int fd = -1;
    if (!fails(MAY_OPEN)) {
        uint64_t before = inode_at(path);
        fd = real(at, given, flags, mode);
        if (fd >= 0 && !before)
            note(CREATE, 0, inode_of(fd), 0, path, 0, 0, 0);
        else if (fd >= 0 && (flags & O_TRUNC))
            note(SIZE, 0, inode_of(fd), 0, path, 0, 0, 0);
    }
    GIVE;
    return fd;
}

#define MODE                                                \
    mode_t mode = 0;                                        \
    if (flags & (O_CREAT | __O_TMPFILE)) {                  \
        va_list rest;                                       \
        va_start(rest, flags);                              \
        mode = va_arg(rest, mode_t);                        \
        va_end(rest);                                       \
    }

int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) {
    MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int at, const char *path, int flags, ...) { MODE return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) {
    MODE return opened(at, path, flags | O_LARGEFILE, mode);
}
int creat(const char *path, mode_t mode) {
    return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

static FILE *stream_opened(const char *given, const char *how) {
    REAL("fopen64", FILE *, const char *, const char *);
    char path[PATH_MAX];
    if (!armed || (how[0] == 'r' && !strchr(how, '+')) || !resolve(AT_FDCWD, given, path))
        return real(given, how);
    HOLD;
    FILE *stream = 0;
    if (!fails(MAY_OPEN)) {
        uint64_t before = inode_at(path);
        stream = real(given, how);
        if (stream && !before)
            note(CREATE, 0, inode_of(fileno(stream)), 0, path, 0, 0, 0);
        else if (stream && how[0] == 'w')
            note(SIZE, 0, before, 0, path, 0, 0, 0);
    }
    GIVE;
    return stream;
}
FILE *fopen(const char *path, const char *how) { return stream_opened(path, how); }
FILE *fopen64(const char *path, const char *how) { return stream_opened(path, how); }

/* Streams write when they please; here they write at once, so that it can be noted. */
size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    REAL("fwrite", size_t, const void *, size_t, size_t, FILE *);
    char path[PATH_MAX];
    if (!armed || !size || !count || !path_of(fileno(stream), path))
        return real(data, size, count, stream);
    HOLD;
    size_t written = 0;
    if (!fails(MAY_WRITE)) {
        written = real(data, size, count, stream);
        fflush(stream);
        off_t end = lseek(fileno(stream), 0, SEEK_CUR);
        note(WRITE, 0, inode_of(fileno(stream)), end - written * size, path, 0, data,
             written * size);
    }
    GIVE;
    return written;
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL("write", ssize_t, int, const void *, size_t);
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, data, length);
    HOLD;
    ssize_t n = -1;
    if (!fails(MAY_WRITE)) {
        n = real(fd, data, length);
        if (n > 0) note(WRITE, 0, inode_of(fd), lseek(fd, 0, SEEK_CUR) - n, path, 0, data, n);
    }
    GIVE;
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL("writev", ssize_t, int, const struct iovec *, int);
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, parts, count);
    ssize_t all = 0;
    for (int k = 0; k < count; k++) {
        ssize_t n = write(fd, parts[k].iov_base, parts[k].iov_len);
        if (n < 0) return all ? all : -1;
        all += n;
        if ((size_t)n < parts[k].iov_len) break;
    }
    return all;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    REAL("pwrite64", ssize_t, int, const void *, size_t, off64_t);
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, data, length, offset);
    HOLD;
    ssize_t n = -1;
    if (!fails(MAY_WRITE)) {
        n = real(fd, data, length, offset);
        if (n > 0) note(WRITE, 0, inode_of(fd), offset, path, 0, data, n);
    }
    GIVE;
    return n;
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

int ftruncate64(int fd, off64_t size) {
    REAL("ftruncate64", int, int, off64_t);
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd, size);
    HOLD;
    int result = -1;
    if (!fails(MAY_WRITE) && !(result = real(fd, size)))
        note(SIZE, 0, inode_of(fd), size, path, 0, 0, 0);
    GIVE;
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int fd, int (*real)(int)) {
    char path[PATH_MAX];
    if (!armed || !path_of(fd, path)) return real(fd);
    HOLD;
    int result = -1;
    if (!fails(MAY_SYNC)) { /* the real one is slow, and here of no use */
        result = 0;
        note(SYNC, 0, inode_of(fd), 0, path, 0, 0, 0);
    }
    GIVE;
    return result;
}
int fsync(int fd) {
    REAL("fsync", int, int);
    return synced(fd, real);
}
int fdatasync(int fd) {
    REAL("fdatasync", int, int);
    return synced(fd, real);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    char one[PATH_MAX], other[PATH_MAX];
    int ours = armed && resolve(from, old, one);
    if (!armed || !(resolve(to, new, other) || ours))
        return syscall(SYS_renameat2, from, old, to, new, flags);
    HOLD;
    int result = -1;
    if (!fails(MAY_RENAME)) {
        uint64_t inode = inode_at(one);
        result = syscall(SYS_renameat2, from, old, to, new, flags);
        if (!result) note(RENAME, flags, inode, 0, one, other, 0, 0);
    }
    GIVE;
    return result;
}
int renameat(int from, const char *old, int to, const char *new) {
    return renameat2(from, old, to, new, 0);
}
int rename(const char *old, const char *new) {
    return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    REAL("linkat", int, int, const char *, int, const char *, int);
    char one[PATH_MAX], other[PATH_MAX];
    resolve(from, old, one);
    if (!armed || !resolve(to, new, other)) return real(from, old, to, new, flags);
    HOLD;
    int result = -1;
    if (!fails(MAY_RENAME) && !(result = real(from, old, to, new, flags)))
        note(LINK, 0, inode_at(other), 0, one, other, 0, 0);
    GIVE;
    return result;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int at, const char *given, int flags) {
    REAL("unlinkat", int, int, const char *, int);
    char path[PATH_MAX];
    if (!armed || !resolve(at, given, path)) return real(at, given, flags);
    HOLD;
    int result = -1;
    if (!fails(MAY_REMOVE) && !(result = real(at, given, flags)))
        note(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, 0, path, 0, 0, 0);
    GIVE;
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int result = unlink(path);
    return result && errno == EISDIR ? rmdir(path) : result;
}

int mkdirat(int at, const char *given, mode_t mode) {
    REAL("mkdirat", int, int, const char *, mode_t);
    char path[PATH_MAX];
    if (!armed || !resolve(at, given, path)) return real(at, given, mode);
    HOLD;
    int result = -1;
    if (!fails(MAY_MKDIR) && !(result = real(at, given, mode)))
        note(MKDIR, 0, inode_at(path), 0, path, 0, 0, 0);
    GIVE;
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
