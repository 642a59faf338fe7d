/* Threads, locks, clocks and shared files: pthread on POSIX, Win32 on Windows. Nothing else here knows the system. */
#ifndef SIM_PLATFORM_H
#define SIM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
typedef CRITICAL_SECTION PlatformMutex; /* recursive */
typedef CONDITION_VARIABLE PlatformSignal;
typedef HANDLE PlatformThread;
#else
#include <pthread.h>
typedef pthread_mutex_t PlatformMutex; /* made recursive */
typedef pthread_cond_t PlatformSignal;
typedef pthread_t PlatformThread;
#endif

typedef void (*PlatformEntry)(void *argument);

void platform_mutex_init(PlatformMutex *mutex);
void platform_lock(PlatformMutex *mutex);
void platform_unlock(PlatformMutex *mutex);
void platform_signal_init(PlatformSignal *signal);
void platform_wake(PlatformSignal *signal);
/* Waits at most `ns` (negative: without limit); spurious returns are possible. */
void platform_wait(PlatformSignal *signal, PlatformMutex *mutex, int64_t ns);

bool platform_start(PlatformThread *thread, PlatformEntry entry, void *argument, const char *name);
void platform_join(PlatformThread thread);
uint64_t platform_thread_id(void);

int64_t platform_monotonic_ns(void);
int64_t platform_utc_ms(void); /* wall clock */
void platform_sleep_ns(int64_t ns);
uint32_t platform_process_id(void);
void platform_fine_timers(bool on);

/* A file of `size` bytes mapped shared: what is written survives the death of the process. Null when refused. */
void *platform_map_file(const char *path, size_t size);
void platform_unmap_file(void *mapping, size_t size);
const char *platform_environment(const char *name, char *into, size_t size);
/* Opens a file whose name is UTF-8 on every system. */
void *platform_open(const char *path, const char *mode);

#endif
