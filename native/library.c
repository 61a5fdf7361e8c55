/* The table of the library's kernels, and which instruction-set level this CPU has. The kernels are in other objects. */

#include <stdint.h>

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#include <sched.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* Set once, after loading: the size of a Python object's header, the type of NumPy's arrays, and NumPy's numbers for the
   dtypes of native.py's DTYPES, which differ between systems. */
PUBLIC int64_t tinynet_fast_header = 16;
PUBLIC void *tinynet_fast_array_type = 0;
PUBLIC int32_t tinynet_fast_numbers[5] = {-1, -1, -1, -1, -1};

/* One line for each entry: its number, its name, its signature. */
PUBLIC const char tinynet_fast_entries[] =
#include "entries.h"
    ;

/* Where NumPy keeps what is read of an array and of its dtype. native.py has the same numbers, and compares them with the
   NumPy that is here. The kernels' entries read the address and the shape. */
enum { TYPE = -8, NDIM = 8, DESCR = 40, FLAGS = 48, SWAPPED_AT = 10, TYPE_NUMBER = 12 };

static int32_t number_at(const char *place)
{
    int32_t number;
    __builtin_memcpy(&number, place, sizeof number);
    return number;
}

static const void *pointer_at(const char *place)
{
    const void *pointer;
    __builtin_memcpy(&pointer, place, sizeof pointer);
    return pointer;
}

/* Whether a Python object is an array of a dtype and a number of dimensions, C-contiguous, aligned, of this machine's byte
   order, and writeable if it has to be. `wanted` is of entry.py. */
int32_t tinynet_fast_fits(const char *object, uint32_t wanted)
{
    const char *fields = object + tinynet_fast_header;
    if (pointer_at(fields + TYPE) != tinynet_fast_array_type)
        return 0;
    const char *described = (const char *)pointer_at(fields + DESCR) + tinynet_fast_header;
    int32_t flags = 0x101 | (wanted >> 8 ? 0x400 : 0);
    return number_at(fields + NDIM) == (int32_t)(wanted >> 4 & 15) &&
           number_at(described + TYPE_NUMBER) == tinynet_fast_numbers[wanted & 15] && described[SWAPPED_AT] != '>' &&
           (number_at(fields + FLAGS) & flags) == flags;
}

/* Let another thread have this core, if one waits for it. */
void tinynet_fast_give_way(void)
{
#ifndef _WIN32
    sched_yield();
#endif
}

/* Tell the CPU that this thread waits for a word. */
void tinynet_fast_pause(void)
{
#if defined(__x86_64__)
    _mm_pause();
#endif
}

#if defined(__x86_64__)
/* The registers that the system saves: bit 1 is SSE's, 2 AVX's, 5 to 7 AVX-512's. */
static uint64_t saved(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (uint64_t)high << 32;
}

/* Whether all these bits are set. */
static int has(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}
#endif

/* The best level of LEVELS in platforms.py that this CPU can run, or "" if it can run none. */
PUBLIC const char *tinynet_fast_level(void)
{
#if defined(__x86_64__)
    uint32_t a, b, c, d, more = 0, ignored;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT))
        return "";
    int avx = has(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C | bit_MOVBE) && has(saved(), 6);
    if (!avx || !__get_cpuid_count(7, 0, &a, &more, &ignored, &d) || !has(more, bit_AVX2 | bit_BMI | bit_BMI2))
        return "x86-64-v2";
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !has(c, bit_LZCNT))
        return "x86-64-v2";
    uint32_t wide = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    return has(more, wide) && has(saved(), 0xe6) ? "x86-64-v4" : "x86-64-v3";
#else
    return "armv8-a";
#endif
}
