// Counts the classifier's heads and what feeds them, for so many classes and features.
#pragma once

#include <stdint.h>

namespace tinyol {
namespace emulator {

void count_statistics(uint16_t features);
// `improved`: with biases and class-balanced steps, else as in the paper.
void count_softmax(bool improved, uint16_t classes, uint16_t features);
// A lesson, four rehearsed ones, and keeping it.
void count_rehearsal(uint16_t classes, uint16_t features);
void count_gaussian(bool full, uint16_t classes, uint16_t features);
// All heads behind one face, with the settings that a device starts with.
void count_classifier(uint16_t classes, uint16_t features);

}  // namespace emulator
}  // namespace tinyol
