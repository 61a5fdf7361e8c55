/* The table of the library's kernels, and which instruction-set level this CPU has. The kernels are in other objects. */

#include <stdint.h>

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

/* Set once, after loading: the size of a Python object's header, and the type of NumPy's arrays. */
PUBLIC int64_t tinynet_fast_header = 16;
PUBLIC void *tinynet_fast_array_type = 0;

/* One line for each entry: its number, its name, its signature. */
PUBLIC const char tinynet_fast_entries[] =
#include "entries.h"
    ;

/* The best level of LEVELS in compile.py that this CPU can run, or "" if it can run none. */
PUBLIC const char *tinynet_fast_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    int v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    int v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2");
    int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    return v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : v2 ? "x86-64-v2" : "";
#else
    return "generic";
#endif
}
