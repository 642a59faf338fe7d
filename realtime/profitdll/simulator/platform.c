#if !defined(_WIN32) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Start {
    PlatformEntry entry;
    void *argument;
    const char *name;
} Start;

#if defined(_WIN32)
#include <timeapi.h>

void platform_mutex_init(PlatformMutex *mutex) { InitializeCriticalSectionAndSpinCount(mutex, 200); }
void platform_lock(PlatformMutex *mutex) { EnterCriticalSection(mutex); }
void platform_unlock(PlatformMutex *mutex) { LeaveCriticalSection(mutex); }
void platform_signal_init(PlatformSignal *signal) { InitializeConditionVariable(signal); }
void platform_wake(PlatformSignal *signal) { WakeAllConditionVariable(signal); }

void platform_wait(PlatformSignal *signal, PlatformMutex *mutex, int64_t ns) {
    DWORD ms = ns < 0 ? INFINITE : (DWORD)((ns + 999999) / 1000000);
    SleepConditionVariableCS(signal, mutex, ms);
}

static DWORD WINAPI thread_main(LPVOID given) {
    Start start = *(Start *)given;
    free(given);
    start.entry(start.argument);
    return 0;
}

bool platform_start(PlatformThread *thread, PlatformEntry entry, void *argument, const char *name) {
    Start *start = malloc(sizeof *start);
    if (!start) return false;
    *start = (Start){entry, argument, name};
    *thread = CreateThread(NULL, 0, thread_main, start, 0, NULL);
    if (!*thread) free(start);
    return *thread != NULL;
}

void platform_join(PlatformThread thread) {
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}

uint64_t platform_thread_id(void) { return GetCurrentThreadId(); }

int64_t platform_monotonic_ns(void) {
    LARGE_INTEGER count, frequency;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    int64_t whole = count.QuadPart / frequency.QuadPart, rest = count.QuadPart % frequency.QuadPart;
    return whole * 1000000000 + rest * 1000000000 / frequency.QuadPart;
}

int64_t platform_utc_ms(void) {
    FILETIME time;
    GetSystemTimeAsFileTime(&time);
    int64_t ticks = ((int64_t)time.dwHighDateTime << 32) | time.dwLowDateTime;
    return ticks / 10000 - 11644473600000;
}

void platform_sleep_ns(int64_t ns) { Sleep((DWORD)((ns + 999999) / 1000000)); }
uint32_t platform_process_id(void) { return GetCurrentProcessId(); }

void platform_fine_timers(bool on) {
    if (on)
        timeBeginPeriod(1);
    else
        timeEndPeriod(1);
}

static wchar_t *wide(const char *path) {
    int units = MultiByteToWideChar(CP_UTF8, 0, path, -1, NULL, 0);
    wchar_t *text = malloc((size_t)units * sizeof *text);
    if (text) MultiByteToWideChar(CP_UTF8, 0, path, -1, text, units);
    return text;
}

void *platform_map_file(const char *path, size_t size) {
    wchar_t *name = wide(path);
    if (!name) return NULL;
    HANDLE file = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    free(name);
    if (file == INVALID_HANDLE_VALUE) return NULL;
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, (DWORD)((uint64_t)size >> 32), (DWORD)size, NULL);
    void *view = mapping ? MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, size) : NULL;
    if (mapping) CloseHandle(mapping); /* the view keeps both alive */
    CloseHandle(file);
    return view;
}

void platform_unmap_file(void *mapping, size_t size) {
    (void)size;
    if (mapping) UnmapViewOfFile(mapping);
}

const char *platform_environment(const char *name, char *into, size_t size) {
    wchar_t wide_name[128], value[1024];
    MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 128);
    DWORD length = GetEnvironmentVariableW(wide_name, value, 1024);
    if (length == 0 || length >= 1024) return NULL;
    return WideCharToMultiByte(CP_UTF8, 0, value, -1, into, (int)size, NULL, NULL) > 0 ? into : NULL;
}

void *platform_open(const char *path, const char *mode) {
    wchar_t *name = wide(path), *how = wide(mode);
    FILE *file = name && how ? _wfopen(name, how) : NULL;
    free(name);
    free(how);
    return file;
}

#else
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

void platform_mutex_init(PlatformMutex *mutex) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void platform_lock(PlatformMutex *mutex) { pthread_mutex_lock(mutex); }
void platform_unlock(PlatformMutex *mutex) { pthread_mutex_unlock(mutex); }
void platform_wake(PlatformSignal *signal) { pthread_cond_broadcast(signal); }

#if defined(__APPLE__)
void platform_signal_init(PlatformSignal *signal) { pthread_cond_init(signal, NULL); }

void platform_wait(PlatformSignal *signal, PlatformMutex *mutex, int64_t ns) {
    if (ns < 0) {
        pthread_cond_wait(signal, mutex);
        return;
    }
    struct timespec span = {ns / 1000000000, ns % 1000000000};
    pthread_cond_timedwait_relative_np(signal, mutex, &span);
}
#else
void platform_signal_init(PlatformSignal *signal) {
    pthread_condattr_t attributes; /* a stepped wall clock must not stretch a wait */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(signal, &attributes);
    pthread_condattr_destroy(&attributes);
}

void platform_wait(PlatformSignal *signal, PlatformMutex *mutex, int64_t ns) {
    if (ns < 0) {
        pthread_cond_wait(signal, mutex);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t total = until.tv_nsec + ns;
    until.tv_sec += (time_t)(total / 1000000000);
    until.tv_nsec = (long)(total % 1000000000);
    pthread_cond_timedwait(signal, mutex, &until);
}
#endif

static void *thread_main(void *given) {
    Start start = *(Start *)given;
    free(given);
#if defined(__linux__)
    prctl(PR_SET_NAME, start.name);
    prctl(PR_SET_TIMERSLACK, 1UL); /* pacing: the default slack is 50 microseconds */
#endif
    start.entry(start.argument);
    return NULL;
}

bool platform_start(PlatformThread *thread, PlatformEntry entry, void *argument, const char *name) {
    Start *start = malloc(sizeof *start);
    if (!start) return false;
    *start = (Start){entry, argument, name};
    if (pthread_create(thread, NULL, thread_main, start) == 0) return true;
    free(start);
    return false;
}

void platform_join(PlatformThread thread) { pthread_join(thread, NULL); }
uint64_t platform_thread_id(void) { return (uint64_t)(uintptr_t)pthread_self(); }

int64_t platform_monotonic_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t platform_utc_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

void platform_sleep_ns(int64_t ns) {
    struct timespec span = {ns / 1000000000, ns % 1000000000};
    while (nanosleep(&span, &span) != 0 && errno == EINTR) continue;
}

uint32_t platform_process_id(void) { return (uint32_t)getpid(); }
void platform_fine_timers(bool on) { (void)on; }

void *platform_map_file(const char *path, size_t size) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return NULL;
    struct stat state;
    void *mapping = MAP_FAILED;
    if (fstat(file, &state) == 0 && ((size_t)state.st_size >= size || ftruncate(file, (off_t)size) == 0))
        mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return mapping == MAP_FAILED ? NULL : mapping;
}

void platform_unmap_file(void *mapping, size_t size) {
    if (mapping) munmap(mapping, size);
}

const char *platform_environment(const char *name, char *into, size_t size) {
    const char *value = getenv(name);
    if (!value || !*value || strlen(value) >= size) return NULL;
    return strcpy(into, value);
}

void *platform_open(const char *path, const char *mode) { return fopen(path, mode); }
#endif
