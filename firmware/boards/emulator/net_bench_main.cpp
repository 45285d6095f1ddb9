// The benchmark image of a net alone, for any net blob (frozen/net_blob.h): how many instructions
// each of its layers takes, and all of them with what it takes to run them (instructions.h).
//   notices: LAYER instructions index, once a run for each operator; NET instructions, once a run;
//   OUTPUT crc, of the reconstruction's bytes over all runs; DONE at the end
#include "cost_inputs.h"
#include "frozen/blob_net.h"
#include "idle.h"
#include "instructions.h"
#include "linked_model.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/crc32.h"
#include "uart.h"

extern "C" {
// model.S
extern const uint8_t tinyol_model_begin[];
extern const uint8_t tinyol_model_end[];
extern uint8_t tinyol_arena_begin[];
extern uint8_t tinyol_arena_end[];
}

namespace tinyol {
namespace emulator {
namespace {

constexpr uint32_t kRuns = 3;  // a net takes the same path whatever its input, nearly

uint32_t bytes_of(const TensorView& view) {
  return view.type == TensorType::kInt8 ? view.length : 4u * view.length;
}

void fill(const TensorView& view) {
  for (uint16_t i = 0; i < view.length; ++i) {
    if (view.type == TensorType::kInt8) {
      static_cast<int8_t*>(view.data)[i] = static_cast<int8_t>(127.0f * noise());
    } else {
      static_cast<float*>(view.data)[i] = noise();
    }
  }
}

}  // namespace

void run_program() {
  uart_begin();
  timer_begin();
  idle_begin();
  static frozen::BlobNet net;
  Refusal refusal;
  if (net.load(tinyol_model_begin, static_cast<uint32_t>(tinyol_model_end - tinyol_model_begin),
               tinyol_arena_begin, static_cast<uint32_t>(tinyol_arena_end - tinyol_arena_begin),
               &refusal) != Status::kOk) {
    stop_refused(refusal);
  }
  Notice("READY").text("net benchmark");
  uint32_t crc = 0;
  for (uint32_t run = 0; run < kRuns; ++run) {
    fill(net.input());
    const uint32_t all = instructions_of([&] { net.invoke(); });
    Notice("NET").decimal(static_cast<int32_t>(all));
    for (uint32_t i = 0; i < net.n_operators(); ++i) {
      const uint32_t one = instructions_of([&] { net.invoke_operator(i); });
      Notice("LAYER").decimal(static_cast<int32_t>(one)).text(" ").decimal(static_cast<int32_t>(i));
    }
    const TensorView output = net.output(Tap::kReconstruction);
    crc = crc32(static_cast<const uint8_t*>(output.data), bytes_of(output), crc);
  }
  Notice("OUTPUT").hex(crc);
  Notice("DONE").text("net benchmark");
  for (;;) idle();
}

}  // namespace emulator
}  // namespace tinyol
