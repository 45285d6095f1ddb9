#include "tinyol/fp_contract.h"

#include "tinyol/p2_quantile.h"

namespace tinyol {
namespace {

void insert_sorted(float* sorted, uint32_t n, float x) {
  uint32_t i = n;
  for (; i > 0 && sorted[i - 1] > x; --i) sorted[i] = sorted[i - 1];
  sorted[i] = x;
}

// Height of marker i moved by one position in direction d = +-1 (the paper's eq. for q_i').
float parabolic(const float* q, const uint32_t* n, int i, float d) {
  const float below = static_cast<float>(n[i] - n[i - 1]);
  const float above = static_cast<float>(n[i + 1] - n[i]);
  const float span = static_cast<float>(n[i + 1] - n[i - 1]);
  const float up = (below + d) * ((q[i + 1] - q[i]) / above);
  const float down = (above - d) * ((q[i] - q[i - 1]) / below);
  return q[i] + (d / span) * (up + down);
}

}  // namespace

void P2Quantile::update(float x, float probability) {
  if (count < 5) {
    insert_sorted(height, count, x);
    ++count;
    return;
  }
  int cell = 0;  // x lies between markers cell and cell + 1
  if (x < height[0]) {
    height[0] = x;
  } else if (x >= height[4]) {
    height[4] = x;
    cell = 3;
  } else {
    while (x >= height[cell + 1]) ++cell;
  }
  for (int i = cell + 1; i < 5; ++i) ++position[i];
  ++count;

  const float last = static_cast<float>(count - 1);
  const float fraction[5] = {0.0f, 0.5f * probability, probability, 0.5f * (1.0f + probability),
                             1.0f};
  for (int i = 1; i < 4; ++i) {
    const float behind = (1.0f + last * fraction[i]) - static_cast<float>(position[i]);
    const bool up = behind >= 1.0f && position[i + 1] - position[i] > 1;
    const bool down = behind <= -1.0f && position[i] - position[i - 1] > 1;
    if (!up && !down) continue;
    const int step = up ? 1 : -1;
    float moved = parabolic(height, position, i, up ? 1.0f : -1.0f);
    if (!(height[i - 1] < moved && moved < height[i + 1])) {
      const int to = i + step;
      const float distance =
          static_cast<float>(up ? position[to] - position[i] : position[i] - position[to]);
      moved = height[i] + (height[to] - height[i]) / distance;
    }
    height[i] = moved;
    position[i] = up ? position[i] + 1 : position[i] - 1;
  }

  if (count >= kMaxCount) {
    count /= 2;
    position[4] = count;
    for (int i = 3; i > 0; --i) {
      position[i] = (position[i] + 1) / 2;
      if (position[i] >= position[i + 1]) position[i] = position[i + 1] - 1;
    }
    for (int i = 1; i < 4; ++i) {
      if (position[i] <= position[i - 1]) position[i] = position[i - 1] + 1;
    }
  }
}

float P2Quantile::value(float probability) const {
  if (count == 0) return 0.0f;
  if (count > 5) return height[2];
  uint32_t rank = static_cast<uint32_t>(probability * static_cast<float>(count));
  if (rank >= count) rank = count - 1;
  return height[rank];
}

bool P2Quantile::valid() const {
  const uint32_t filled = count < 5 ? count : 5;
  for (uint32_t i = 1; i < filled; ++i) {
    if (!(height[i - 1] <= height[i])) return false;
  }
  if (position[0] != 1 || count >= kMaxCount) return false;
  for (int i = 1; i < 5; ++i) {
    if (position[i] <= position[i - 1]) return false;
  }
  return position[4] == (count < 5 ? 5 : count);
}

void write_quantile(ByteWriter* out, const P2Quantile& quantile) {
  out->u32(quantile.count);
  for (uint32_t position : quantile.position) out->u32(position);
  out->f32s(quantile.height, 5);
}

bool read_quantile(ByteReader* in, float largest, P2Quantile* into) {
  P2Quantile quantile;
  quantile.count = in->u32();
  for (uint32_t& position : quantile.position) position = in->u32();
  for (float& height : quantile.height) height = in->bounded_f32(largest);
  if (!in->ok() || !quantile.valid()) return false;
  if (into != nullptr) *into = quantile;
  return true;
}

}  // namespace tinyol
