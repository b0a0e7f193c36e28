/* SPDX-License-Identifier: MIT
 *
 * A fuzz target is one function, LLVMFuzzerTestOneInput(): it plays what the bytes say against one
 * part of the product, and asserts what must hold whatever they say. libFuzzer calls it with bytes
 * that it makes up and the sanitizers watch; main.c calls it with those of files.
 *
 * The bytes are read as a script: a number says what to do next, those behind it how. Bytes that
 * are used up read as 0, so that every input means something and short ones do a lot.
 */
#pragma once

#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next `size` bytes, at most 8, as a number: the low one first. */
static inline uint64_t input_number(struct input *input, size_t size)
{
    uint64_t number = 0;

    for (size_t i = 0; i < size && input->left > 0; i++) {
        number |= (uint64_t)*input->at++ << 8 * i;
        input->left--;
    }
    return number;
}

/* The next bytes, as many as the next byte says, and as there are. */
static inline size_t input_bytes(struct input *input, const uint8_t **ret)
{
    size_t length = input_number(input, 1);

    if (length > input->left) {
        length = input->left;
    }
    *ret = input->at;
    input->at += length;
    input->left -= length;
    return length;
}

/*
 * Changes memory of at least 8 bytes at one place: a word of 8 bytes is set, or is moved by a
 * little, or bytes are written over.
 */
static inline void input_patch(struct input *input, void *memory, size_t size)
{
    uint64_t how = input_number(input, 1);
    size_t place = input_number(input, 2) % (size / 8) * 8;
    char *at = (char *)memory + place;
    const uint8_t *bytes;
    uint64_t word;
    size_t length;

    memcpy(&word, at, sizeof(word));
    switch (how % 3) {
    case 0:
        word = input_number(input, sizeof(word));
        memcpy(at, &word, sizeof(word));
        break;
    case 1:
        word += (uint64_t)(int8_t)input_number(input, 1);
        memcpy(at, &word, sizeof(word));
        break;
    default:
        length = input_bytes(input, &bytes);
        memcpy(at, bytes, length < size - place ? length : size - place);
    }
}
