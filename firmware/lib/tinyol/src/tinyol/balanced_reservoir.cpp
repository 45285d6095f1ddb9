#include "tinyol/fp_contract.h"

#include "tinyol/balanced_reservoir.h"

#include <string.h>

#include "tinyol/count_up.h"

namespace tinyol {
void BalancedReservoir::reset(uint16_t rows) {
  limit = rows;
  size = 0;
  random = kXorshiftSeed;
  memset(seen, 0, sizeof(seen));
  memset(group, 0, sizeof(group));
  memset(kept, 0, sizeof(kept));
}

void BalancedReservoir::count_rows() {
  memset(kept, 0, sizeof(kept));
  for (uint16_t row = 0; row < size; ++row) ++kept[group[row]];
}

int BalancedReservoir::place(uint16_t of_group) {
  if (limit == 0) return kNotKept;
  count_up(&seen[of_group]);
  if (size < limit) {
    group[size] = static_cast<uint8_t>(of_group);
    ++kept[of_group];
    return size++;
  }

  uint16_t most = 0;
  for (const uint16_t n : kept) most = n > most ? n : most;
  const uint16_t own = kept[of_group];
  const bool complete = own + 1u == seen[of_group];  // so far
  uint32_t skip;
  bool from_largest = own < most && (complete || own + 1u < most);
  if (from_largest) {
    uint32_t rows = 0;
    for (const uint16_t n : kept) rows += n == most ? most : 0u;
    skip = draw_below(rows, &random);
  } else {
    skip = draw_below(seen[of_group], &random);
    if (skip >= own) return kNotKept;
  }
  for (uint16_t row = 0; row < size; ++row) {
    if (from_largest ? kept[group[row]] != most : group[row] != of_group) continue;
    if (skip-- > 0) continue;
    --kept[group[row]];
    ++kept[of_group];
    group[row] = static_cast<uint8_t>(of_group);
    return row;
  }
  return kNotKept;  // not reached
}

int BalancedReservoir::draw() {
  return size == 0 ? kNotKept : static_cast<int>(draw_below(size, &random));
}

void BalancedReservoir::drop_group(uint16_t of_group, int8_t* bytes, uint16_t width) {
  uint16_t left = 0;
  for (uint16_t row = 0; row < size; ++row) {
    if (group[row] == of_group) continue;
    if (left != row) {
      group[left] = group[row];
      memcpy(bytes + left * width, bytes + row * width, width);
    }
    ++left;
  }
  memset(group + left, 0, size - left);
  memset(bytes + left * width, 0, static_cast<size_t>(size - left) * width);
  size = left;
  seen[of_group] = 0;
  kept[of_group] = 0;
}

void BalancedReservoir::renumber_behind(uint16_t of_group) {
  for (uint16_t row = 0; row < size; ++row) {
    if (group[row] > of_group) --group[row];
  }
  for (uint16_t g = of_group; g + 1u < kMaxClasses; ++g) {
    seen[g] = seen[g + 1];
    kept[g] = kept[g + 1];
  }
  seen[kMaxClasses - 1] = 0;
  kept[kMaxClasses - 1] = 0;
}

}  // namespace tinyol
