// Proves a build's frozen net: golden vectors, drawn from a seed that the model image carries, go
// through the net, and the CRC-32 of what its taps then hold must be the one that the host worked
// out (tinyol_sim/frozen_net/golden_vectors.py). A damaged weight, a kernel or an interpreter that
// computes otherwise gives another CRC.
#pragma once

#include <stdint.h>

#include "tinyol/frozen_net.h"
#include "tinyol/model.h"
#include "tinyol/self_test.h"

namespace tinyol {

// Overwrites the net's tensors and nothing else: to be called between windows. A net that does
// not run gives a CRC that differs. As many inferences as there are vectors.
SelfTest run_net_self_test(FrozenNet* net, const GoldenVectors& golden);

}  // namespace tinyol
