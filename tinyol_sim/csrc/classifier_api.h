// The C face of one classifier head for cffi: running statistics and a head, over many rows of
// features in one call, without windows, net or watching. Calls on one classifier must not
// overlap; different classifiers are free.
#pragma once

#include <stdint.h>

#include "twin_api.h"

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct tinyol_classifier tinyol_classifier;

/* gaussian 0: the softmax head, on standardised features. 1: the Gaussian one, on unscaled ones,
   with a diagonal or full covariance; prior: (n_features) variances that its classes start from.
   NULL, with the reason in refusal: more features or classes than this build has room for, none,
   or a prior that is not in [1e-12, 1e12]. */
tinyol_classifier* tinyol_classifier_new(uint32_t n_features, uint32_t n_classes, int gaussian,
                                         int full_covariance, const float* prior,
                                         tinyol_refusal* refusal);
void tinyol_classifier_free(tinyol_classifier* classifier);

/* Before the first row only: what hangs on a setting does not begin anew with it. */
int tinyol_classifier_set(tinyol_classifier* classifier, uint16_t setting_id, float value,
                          tinyol_refusal* refusal);

/* n rows (n, n_features). With `learn`, each row goes into the statistics, is predicted, and is
   then a lesson for labels[i], -1 = none; labels may be NULL. Without it nothing changes.
   predicted (n): the class, -1 where none is known; probabilities (n, n_classes); novelty (n):
   GaussianHead::predict's, 0 for the softmax head; learned (n): whether a lesson was taken.
   A row with a number that is not finite or beyond 1e12 is refused: -1, zeros, nothing learned.
   Returns how many were refused. */
uint64_t tinyol_classifier_run(tinyol_classifier* classifier, const float* rows,
                               const int16_t* labels, uint64_t n, int learn, int16_t* predicted,
                               float* probabilities, float* novelty, uint8_t* learned);

/* lessons (n_classes). */
void tinyol_classifier_lessons(const tinyol_classifier* classifier, uint32_t* lessons);
/* mean, variance (n_features); returns the rows counted. */
uint32_t tinyol_classifier_statistics(const tinyol_classifier* classifier, float* mean,
                                      float* variance);
/* Softmax: weights (k, d) and bias (k). Gaussian: mean (k, d) and spread (k, spread_length). */
void tinyol_classifier_weights(const tinyol_classifier* classifier, float* first, float* second);
uint32_t tinyol_classifier_spread_length(const tinyol_classifier* classifier);
// cdef end

#ifdef __cplusplus
}
#endif
