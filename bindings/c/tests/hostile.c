/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Loads hostile files, each in a process of its own, and expects of each a status and a message, in little time and
 * memory, with the network as it was. The process is killed if it starts a program or a thread, opens a file to write,
 * or changes a folder.
 *
 *     hostile FOLDER       with a manifest.txt, as Tests/Fixtures/generate_hostile.py makes it: NAME, STATUS and TEXT,
 *                          with tabs between them
 *     hostile FOLDER any   every file of the folder; it may be sound, bad or no match
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backbone.h"
#include "check.h"
#include "smallest.h"
#include "watch.h"

enum { SECONDS = 1, SPARE_KILOBYTES = 64 << 10, STACK_BYTES = 256 << 10 };

static const char marker[] = "hostile-was-here";

/* ---- What a load may not do ------------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define KILL_CALL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), KILL
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* Kills where a call with that number has a bit of `bits` set in the low half of argument `index`. */
#define KILL_BITS(number, index, bits)                                                                        \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 4), LOAD(args[index]),                                   \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), 0, 1), KILL, LOAD(nr)

/* Returns 0, or -1 where the system has no such filters. */
static int forbid(void) {
    static struct sock_filter rules[] = {
        LOAD(nr),
        KILL_CALL(SYS_execve), KILL_CALL(SYS_execveat), KILL_CALL(SYS_clone), KILL_CALL(SYS_clone3),
        KILL_CALL(SYS_socket), KILL_CALL(SYS_connect), KILL_CALL(SYS_ptrace), KILL_CALL(SYS_unlinkat),
        KILL_CALL(SYS_renameat), KILL_CALL(SYS_renameat2), KILL_CALL(SYS_mkdirat), KILL_CALL(SYS_symlinkat),
        KILL_CALL(SYS_linkat), KILL_CALL(SYS_mknodat), KILL_CALL(SYS_fchmod), KILL_CALL(SYS_fchmodat),
        KILL_CALL(SYS_truncate), KILL_CALL(SYS_ftruncate), KILL_CALL(SYS_pwrite64), KILL_CALL(SYS_writev),
#if defined(__x86_64__)
        KILL_CALL(SYS_fork), KILL_CALL(SYS_vfork), KILL_CALL(SYS_creat), KILL_CALL(SYS_unlink), KILL_CALL(SYS_rename),
        KILL_CALL(SYS_mkdir), KILL_CALL(SYS_rmdir), KILL_CALL(SYS_symlink), KILL_CALL(SYS_link), KILL_CALL(SYS_mknod),
        KILL_CALL(SYS_chmod), KILL_BITS(SYS_open, 1, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
#endif
        KILL_BITS(SYS_openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
        /* What this program itself has to say goes to descriptors 1 and 2. */
        KILL_BITS(SYS_write, 0, ~3u),
        ALLOW,
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) : -1;
}

/* That the filter kills: otherwise nothing would be known of those that live. */
static void check_filter(void) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        if (forbid() != 0) _exit(3);
        _exit(open(marker, O_WRONLY | O_CREAT, 0600) >= 0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "%s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
        printf("no filters of system calls here: what a load may not do is not watched\n");
        return;
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "the filter let a file be made: %d", status);
}

/* ---- What is looked at ------------------------------------------------------------------------------------------ */

static long open_descriptors(void) {
    long count = 0;
    DIR *list = opendir("/proc/self/fd");
    while (list != NULL && readdir(list) != NULL) count++;
    if (list != NULL) closedir(list);
    return count;
}

/* All values of a network; `value` receives the one of bn1.weight, which is then taken as 0. */
static size_t weights(const backbone *net, char *out, float *value) {
    size_t position = 0, size = read_weights(net, out, "bn1.weight", &position);
    memcpy(value, out + position, sizeof *value);
    memset(out + position, 0, sizeof *value);
    return size;
}

/* Looks at every name, however many and whatever they are. */
static void read_report(const char *name, const backbone_report *report) {
    for (int32_t kind = BACKBONE_REPORT_LOADED; kind <= BACKBONE_REPORT_MISMATCHED; kind++) {
        size_t count = 0;
        CHECK(backbone_report_count(report, kind, &count) == BACKBONE_STATUS_OK, "%s", name);
        for (size_t i = 0; i < count; i++) {
            backbone_report_entry entry;
            CHECK(backbone_report_get_entry(report, kind, i, &entry) == BACKBONE_STATUS_OK, "%s", name);
            CHECK(strlen(entry.name) <= 1024, "%s: a name of %zu bytes", name, strlen(entry.name));
        }
    }
}

/* In a process of its own. `expected` is a status or *, `text` is what the message has to hold. */
static void load(const char *path, const char *name, const char *expected, const char *text) {
    static char before[SMALLEST_BYTES], after[SMALLEST_BYTES];
    float old_value = 0, new_value = 0;
    struct stat file = {0};
    CHECK(stat(path, &file) == 0, "%s: %s", path, strerror(errno));
    backbone *net = create_smallest();
    size_t size = weights(net, before, &old_value);
    CHECK(size > 0, "%s: the network cannot be read", name);
    /* No depth of nesting in a file is one of the stack. */
    struct rlimit stack = {STACK_BYTES, STACK_BYTES};
    CHECK(setrlimit(RLIMIT_STACK, &stack) == 0, "setrlimit");
    forget_peak();
    (void)forbid();

    long descriptors = open_descriptors(), memory = status_number("VmRSS:");
    clock_t start = clock();
    backbone_report *report = NULL;
    backbone_load_options options = partial();
    backbone_status status = backbone_load_weights_with(net, path, &options, &report);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    long used = status_number("VmHWM:") - memory;
    CHECK(open_descriptors() == descriptors, "%s: %ld descriptors, not %ld", name, open_descriptors(), descriptors);

    const char *message = status == BACKBONE_STATUS_OK ? "" : backbone_last_error_message();
    if (*expected == '*') {
        int is_fit = status == BACKBONE_STATUS_OK || status == BACKBONE_STATUS_BAD_CHECKPOINT ||
                     status == BACKBONE_STATUS_MISMATCH;
        CHECK(is_fit, "%s: status %d: %s", name, (int)status, message);
    } else {
        CHECK(status == atoi(expected), "%s: status %d, not %s: %s", name, (int)status, expected, message);
    }
    CHECK(is_plain(message), "%s: %s", name, message);
    CHECK(status == BACKBONE_STATUS_OK || strstr(message, name) != NULL, "%s: %s", name, message);
    CHECK(strstr(message, text) != NULL || *expected == '*', "%s: the message lacks '%s': %s", name, text, message);
    CHECK((report != NULL) == (status == BACKBONE_STATUS_OK || status == BACKBONE_STATUS_MISMATCH), "%s", name);
    if (report != NULL) read_report(name, report);
    backbone_report_free(report);

    CHECK(weights(net, after, &new_value) == size && memcmp(before, after, size) == 0, "%s: the network changed", name);
    int is_loaded = status == BACKBONE_STATUS_OK && *expected == '0';
    CHECK(*expected == '*' || new_value == (is_loaded ? 0.25f : old_value), "%s: %g", name, (double)new_value);
    CHECK(seconds < SECONDS, "%s: %.2f seconds", name, seconds);
    CHECK(memory > 0 && used < file.st_size / 1024 + SPARE_KILOBYTES, "%s: %ld kB for a file of %lld bytes", name, used,
          (long long)file.st_size);
    if (getenv("HOSTILE_VERBOSE") != NULL) {
        printf("%-40s %d %5.0f ms %7ld kB  %s\n", name, (int)status, 1000 * seconds, used, message);
    }
    backbone_free(net);
}

static int count;

static void load_apart(const char *folder, const char *name, const char *expected, const char *text) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        load(path, name, expected, text);
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "%s: %s", name, strerror(errno));
    CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS, "%s: a system call that no load may make", name);
    CHECK(!WIFSIGNALED(status), "%s: ended by signal %d", name, WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", name);
    CHECK(access(marker, F_OK) != 0, "%s: it was run", name);
    count++;
}

static void load_manifest(FILE *manifest, const char *folder) {
    char line[512];
    while (fgets(line, sizeof line, manifest) != NULL) {
        char *expected = strchr(line, '\t'), *text = expected != NULL ? strchr(expected + 1, '\t') : NULL;
        CHECK(text != NULL, "a line without tabs: %s", line);
        if (text == NULL) continue;
        *expected++ = 0;
        *text++ = 0;
        text[strcspn(text, "\n")] = 0;
        load_apart(folder, line, expected, text);
    }
}

static void load_folder(const char *folder) {
    DIR *list = opendir(folder);
    CHECK(list != NULL, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') load_apart(folder, entry->d_name, "*", "");
    }
    if (list != NULL) closedir(list);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "any") != 0)) {
        fprintf(stderr, "usage: hostile FOLDER [any]\n");
        return 2;
    }
    remove(marker);
    check_filter();
    if (argc == 3) {
        load_folder(argv[1]);
    } else {
        char path[4096];
        snprintf(path, sizeof path, "%s/manifest.txt", argv[1]);
        FILE *manifest = fopen(path, "r");
        CHECK(manifest != NULL, "%s: %s", path, strerror(errno));
        if (manifest != NULL) {
            load_manifest(manifest, argv[1]);
            fclose(manifest);
        }
    }
    CHECK(count > 0, "%s holds no files", argv[1]);
    printf("%d files, %d failed\n", count, failures);
    return failures != 0;
}
