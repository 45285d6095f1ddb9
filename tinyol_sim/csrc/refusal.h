// The core's Refusal as the C struct that Python reads.
#pragma once

#include <string.h>

#include "tinyol/status.h"
#include "twin_api.h"

namespace tinyol {

inline int report(Status status, const Refusal& from, tinyol_refusal* to) {
  if (to != nullptr) {
    to->status = static_cast<int>(status);
    static_assert(sizeof(to->where) == sizeof(from.where), "Refusal::where");
    memcpy(to->where, from.where, sizeof(to->where));
    to->need = from.need;
    to->have = from.have;
  }
  return static_cast<int>(status);
}

}  // namespace tinyol
