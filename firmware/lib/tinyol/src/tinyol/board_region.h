// How a board's region of flash is divided: what was learned, then its key, then its name.
#pragma once

#include <stdint.h>

#include "tinyol/board_name.h"
#include "tinyol/device_key.h"
#include "tinyol/part_flash.h"

namespace tinyol {

struct BoardRegion {
  PartFlash learned;
  PartFlash key;   // kKeyPages
  PartFlash name;  // kNamePages, the last ones

  // `flash` must outlive this. Where it is too small, first what was learned gets no page, then the
  // key.
  void begin(Flash* flash) {
    const uint32_t pages = flash->n_pages();
    const uint32_t name_from = pages > kNamePages ? pages - kNamePages : 0;
    const uint32_t key_from = name_from > kKeyPages ? name_from - kKeyPages : 0;
    learned.begin(flash, 0, key_from);
    key.begin(flash, key_from, name_from - key_from);
    name.begin(flash, name_from, kNamePages);
  }
};

}  // namespace tinyol
