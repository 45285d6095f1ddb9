// A lower triangular matrix L with a positive diagonal, its rows up to the diagonal one after the
// other: d (d + 1) / 2 numbers. It stands for the matrix L L'.
#pragma once

#include <stdint.h>

namespace tinyol {

// b' (L L')^-1 b = |z|^2 with L z = b = x - centre, by forward substitution. d at most
// kMaxFeatures.
float triangle_distance(const float* lower, const float* x, const float* centre, uint32_t d);

// L L' becomes keep L L' + take b b', with no L_jj below floors[j] > 0: b is rotated into L's
// columns one by one (Gill, Golub, Murray, Saunders, Mathematics of Computation 28, 1974). A
// rotation enlarges no error, and no row of L grows beyond the variance that it stands for.
// keep, take: in [0, 1]; b is overwritten.
void update_triangle(float* lower, float* b, uint16_t d, float keep, float take,
                     const float* floors);

}  // namespace tinyol
