/* SPDX-License-Identifier: MIT
 *
 * Text to numbers, strictly: the whole text is the number, or it is refused.
 *
 * All return 0, -EINVAL (not such a number) or -ERANGE (out of range), and write only on success.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Decimal, or hexadecimal after 0x. No sign, no spaces. */
int parse_u64(const char *text, uint64_t *ret);

/* As parse_u64, within min…max. */
int parse_u64_range(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* A System V key: 1…0xffffffff; 0 is IPC_PRIVATE, which nobody can find. */
int parse_key(const char *text, uint32_t *ret);

/* Permission bits in octal, three or four digits: "0666". */
int parse_mode(const char *text, mode_t *ret);

/* Seconds with an optional fraction ("2", "0.25") as microseconds. */
int parse_seconds(const char *text, uint64_t *ret_usec);

/* A number and a unit, which is K, M, G or T, with or without B or iB: "64KiB". In bytes. */
int parse_size(const char *text, uint64_t *ret);
