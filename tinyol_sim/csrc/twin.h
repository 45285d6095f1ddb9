// The device behind a tinyol_twin, and what only the C face keeps.
#pragma once

#include "loaded_device.h"
#include "twin_api.h"

constexpr int kNoColumn = tinyol::kNoClass - 1;  // differs from every label

struct tinyol_twin : tinyol::LoadedDevice {
  // The last value of the label column that feed() was given: one stream may come in pieces.
  int column = kNoColumn;
  tinyol::WindowResult last;  // of the windows fed; a new state has none

  // After a command that may have changed the label: the column's next value counts anew.
  int relabelled(int status) {
    if (status == 0) column = kNoColumn;
    return status;
  }
  // After a command that put another state in.
  int began_anew(int status) {
    if (status == 0) last = tinyol::WindowResult();
    return relabelled(status);
  }
};
