// A counter that stops at its largest value instead of starting anew.
#pragma once

namespace tinyol {

template <typename Unsigned>
inline void count_up(Unsigned* counter) {
  const Unsigned next = static_cast<Unsigned>(*counter + 1u);
  if (next != 0) *counter = next;
}

}  // namespace tinyol
