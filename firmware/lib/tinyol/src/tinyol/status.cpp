#include "tinyol/status.h"

namespace tinyol {

Status refuse(Refusal* refusal, Status status, const char* where, uint32_t need, uint32_t have) {
  if (refusal != nullptr) {
    refusal->status = status;
    uint32_t i = 0;
    for (; where[i] != '\0' && i + 1 < sizeof(refusal->where); ++i) refusal->where[i] = where[i];
    refusal->where[i] = '\0';
    refusal->need = need;
    refusal->have = have;
  }
  return status;
}

}  // namespace tinyol
