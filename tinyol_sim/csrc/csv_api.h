// Plain rows of a CSV recording, read fast. What is not plain is left to Python, which is careful.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct {
  uint64_t row;    /* of this call, from 0 */
  uint64_t offset; /* of a label's cell in the text, spaces left out */
  uint32_t length; /* in bytes */
  uint32_t is_gap; /* a line `# gap` above the row; else its label is not that of the row before */
} tinyol_csv_mark;

typedef struct {
  uint64_t used; /* bytes, whole lines */
  uint64_t lines;
  uint64_t rows;
  uint64_t marks;
  int odd; /* the next line is not plain; else the text or the room is at its end */
} tinyol_csv_read_state;

/* Reads lines of `text`, each with its line feed, as rows of n_columns cells: decimal numbers and,
   in label_column (-1 = none), a label. Rows go to `numbers`, n_columns less the label each, every
   number the double next to what is written. The first row has a mark for its label. Plain are
   rows of ASCII numbers of up to 60 characters, blank lines and comments; a line must be shorter
   than 4 GB. */
void tinyol_csv_read(const char* text, uint64_t length, uint32_t n_columns, int label_column,
                     double* numbers, uint64_t max_rows, tinyol_csv_mark* marks, uint64_t max_marks,
                     tinyol_csv_read_state* state);
// cdef end

#ifdef __cplusplus
}
#endif
