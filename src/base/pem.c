/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>

BIO *pem_open(struct span bytes)
{
	if (bytes.len > INT_MAX)
		return NULL;
	return BIO_new_mem_buf(bytes.len == 0 ? "" : bytes.ptr, (int)bytes.len);
}

int pem_no_passphrase(char *into, int size, int is_writing, void *owner)
{
	(void)into;
	(void)size;
	(void)is_writing;
	(void)owner;
	return -1;
}

bool pem_is_at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}
