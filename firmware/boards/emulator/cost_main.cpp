// The cost image: how many instructions each learning part takes by itself, whatever the model,
// and how much RAM it is. Counted as by bench_main.cpp.
//   notices: COST instructions measurements classes features name, a call (classes or features 0:
//   they do not matter; measurements: cost_part.h); RAM bytes name; DONE at the end
#include "cost_heads.h"
#include "cost_tuning.h"
#include "cost_watch.h"
#include "idle.h"
#include "notice.h"
#include "program.h"
#include "timer.h"
#include "tinyol/learned_state.h"
#include "uart.h"

namespace tinyol {
namespace emulator {
namespace {

constexpr uint16_t kClasses[] = {3, 8};
constexpr uint16_t kFeatures[] = {5, 8};
static_assert(kMaxClasses >= 8 && kMaxFeatures >= 8, "the largest heads that are counted");

void tell_ram(const char* name, uint32_t bytes) {
  Notice("RAM").decimal(static_cast<int32_t>(bytes)).text(" ").text(name);
}

void tell_all_ram() {
  tell_ram("statistics", sizeof(RunningStats));
  tell_ram("softmax", sizeof(SoftmaxHead));
  tell_ram("rehearsal", sizeof(RehearsalBuffer));
  tell_ram("Gaussian", sizeof(GaussianHead));
  tell_ram("classifier", sizeof(Classifier));
  tell_ram("anomaly detector", sizeof(AnomalyDetector));
  tell_ram("drift monitor", sizeof(DriftMonitor));
  tell_ram("unknown events", sizeof(UnknownEvents));
  tell_ram("fine-tuned layer", sizeof(ReconstructionHead));
  tell_ram("recursive least squares", sizeof(RecursiveLeastSquares));
  tell_ram("window rehearsal", sizeof(WindowRehearsal));
}

}  // namespace

void run_program() {
  uart_begin();
  timer_begin();
  idle_begin();
  Notice("READY").text("costs");
  for (uint16_t features : kFeatures) {
    count_statistics(features);
    for (uint16_t classes : kClasses) {
      count_softmax(false, classes, features);
      count_softmax(true, classes, features);
      count_rehearsal(classes, features);
      count_gaussian(false, classes, features);
      count_gaussian(true, classes, features);
      count_classifier(classes, features);
    }
    count_unknown(false, features);
    count_unknown(true, features);
  }
  count_detector("anomaly detector, fixed: update", false, 40);
  count_detector("anomaly detector, two-sided, young: update", true, 100);
  count_detector("anomaly detector, two-sided: update", true, 1100);
  count_drift();
  count_fine_tuning("fine-tuned layer, SGD: learn", TuningRule::kSgd);
  count_fine_tuning("fine-tuned layer, NLMS: learn", TuningRule::kNlms);
  count_fine_tuning("fine-tuned layer, RLS: learn", TuningRule::kRls);
  count_window_rehearsal();
  tell_all_ram();
  Notice("DONE").text("costs");
  for (;;) idle();
}

}  // namespace emulator
}  // namespace tinyol
