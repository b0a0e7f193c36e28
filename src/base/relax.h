/* SPDX-License-Identifier: MIT
 *
 * For loops that look at memory until another processor changes it: lets the other thread of the
 * core run, and spares the memory bus.
 */
#pragma once

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}
