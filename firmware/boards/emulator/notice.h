// Readable text on the UART, where frames of the wire protocol go: what the board says before it
// is ready, or when it cannot go on.
//   0x00 "TINYOL " WORD " " text 0x00
// A reader of frames discards it: no frame has this form, since the byte behind a frame's COBS
// code is the protocol version, 1, and a notice has an 'I' there. Words:
//   READY    the UART listens; anything sent before is lost
//   REFUSED  status need have where: the model cannot run (tinyol/status.h); the board has stopped
//   RESTORED the board goes on from what it had saved; UNUSABLE: it cannot, and begins anew
//   FAULT    pc and fault status: the CPU has stopped
// The benchmarks have STAGE, COST, RAM, NET, LAYER, OUTPUT and DONE besides (bench_main.cpp,
// cost_main.cpp, net_bench_main.cpp).
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

class Notice {
 public:
  explicit Notice(const char* word);
  ~Notice();  // ends it
  Notice(const Notice&) = delete;
  Notice& operator=(const Notice&) = delete;

  Notice& text(const char* text);
  Notice& decimal(int32_t value);
  Notice& hex(uint32_t value);  // 0x and 8 digits
};

}  // namespace emulator
}  // namespace tinyol
