// A NOR flash in memory, which outlives the board whose state it keeps, and whose power can fail
// in the middle of any operation: the erase of a page, or the write of a word.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct tinyol_flash tinyol_flash;

/* Erased throughout; page_bytes is a multiple of 4. */
tinyol_flash* tinyol_flash_new(uint32_t page_bytes, uint32_t n_pages);
void tinyol_flash_free(tinyol_flash* flash);
/* All of its bytes, to look at and to damage. */
uint8_t* tinyol_flash_bytes(tinyol_flash* flash);
/* The power fails in the middle of the operation-th operation from now, counted from 1; 0: it does
   not. From then on every operation fails. The seed, not 0, says which bits were done. */
void tinyol_flash_cut_at(tinyol_flash* flash, uint32_t operation, uint32_t seed);
void tinyol_flash_power_on(tinyol_flash* flash);
/* Operations so far. */
uint64_t tinyol_flash_operations(const tinyol_flash* flash);
uint32_t tinyol_flash_erases(const tinyol_flash* flash, uint32_t page);
/* These bits of a byte are 0 from the next erase on, whatever is done. */
void tinyol_flash_stick(tinyol_flash* flash, uint32_t offset, uint8_t bits);
// cdef end

#ifdef __cplusplus
}
#endif
