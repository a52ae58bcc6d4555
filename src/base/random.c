/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <string.h>
#include <sys/random.h>

#include "base/bug.h"

/* A process's stock of the kernel's bytes; used bytes are wiped. */
static struct {
	unsigned char bytes[512];
	size_t left;
} stock;

static void fill(void *bytes, size_t size)
{
	unsigned char *at = bytes;

	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);

		BUG_ON(got <= 0);
		at += got;
		size -= (size_t)got;
	}
}

void random_secret(void *bytes, size_t size)
{
	unsigned char *from;

	if (size > sizeof(stock.bytes)) {
		fill(bytes, size);
		return;
	}
	if (stock.left < size) {
		fill(stock.bytes, sizeof(stock.bytes));
		stock.left = sizeof(stock.bytes);
	}
	from = stock.bytes + (stock.left - size);
	memcpy(bytes, from, size);
	explicit_bzero(from, size);
	stock.left -= size;
}

/* splitmix64: spreads any seed over the state. */
static uint64_t mix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

void random_seed(struct random *random, uint64_t seed)
{
	random->state[0] = mix(&seed);
	random->state[1] = mix(&seed);
}

/* xoroshiro128+ (Blackman, Vigna). */
uint64_t random_next(struct random *random)
{
	uint64_t a = random->state[0];
	uint64_t b = random->state[1];
	uint64_t result = a + b;

	b ^= a;
	random->state[0] = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
	random->state[1] = (b << 37) | (b >> 27);
	return result;
}

/* Lemire: multiply and reject the short end. */
uint32_t random_below(struct random *random, uint32_t bound)
{
	uint64_t product;

	BUG_ON(bound == 0);
	do
		product = (random_next(random) >> 32) * bound;
	while ((uint32_t)product < -bound % bound);
	return (uint32_t)(product >> 32);
}
