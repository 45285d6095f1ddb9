// Which rows to keep of a stream that is longer than memory: class-balancing reservoir sampling
// (Chrysakis and Moens, "Online Continual Learning from Imbalanced Data", ICML 2020, algorithm 1).
// While there is room every row is kept. Then a row of a group that never lost one takes the place
// of one drawn from the largest groups, unless it is one of them. Any other row takes the place of
// one of its own with probability (rows kept of it) / (rows seen of it), as in Vitter's reservoir,
// so that what is kept of a group is a uniform sample of it. A group that lost rows grows again
// only where another, removed since, has let a third grow past it by more than a row.
// This is the book-keeping; the bytes of the rows belong to whoever has one.
#pragma once

#include <stdint.h>

#include "tinyol/capacity.h"
#include "tinyol/xorshift.h"

namespace tinyol {

struct BalancedReservoir {
  static constexpr int kNotKept = -1;

  uint16_t limit = 0;                 // rows, from the model; at most kMaxRehearsal
  uint16_t size = 0;                  // rows kept
  uint32_t random = kXorshiftSeed;    // never 0
  uint32_t seen[kMaxClasses] = {};    // rows offered, of each group; stop at 2^32 - 1
  uint8_t group[kMaxRehearsal] = {};  // of each kept row
  uint16_t kept[kMaxClasses] = {};    // rows of each group: counted, so that place() need not

  void reset(uint16_t rows);
  // Where the row of this group goes (an index below `limit`), or kNotKept.
  int place(uint16_t of_group);
  // A kept row at random; kNotKept if there is none.
  int draw();
  uint16_t rows_of(uint16_t of_group) const { return kept[of_group]; }
  void count_rows();  // after `group` and `size` were set by somebody else
  // Drops the rows of a group, which begins anew; the others move up in their order, with their
  // bytes (`width` a row).
  void drop_group(uint16_t of_group, int8_t* bytes, uint16_t width);
  // Behind a dropped group the others' numbers move up by one.
  void renumber_behind(uint16_t of_group);
};

}  // namespace tinyol
