// A C face for the classifier's heads and their memory, so that tests in Python can hold each
// against its float64 reference. Rows are contiguous; every pointer is the caller's.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct tinyol_heads tinyol_heads;

/* prior: (d) variances; rows: the rehearsal buffer's room. */
tinyol_heads* tinyol_heads_new(uint32_t d, int full, const float* prior, uint32_t rows);
void tinyol_heads_free(tinyol_heads* h);
void tinyol_heads_add_class(tinyol_heads* h);
void tinyol_heads_remove_class(tinyol_heads* h, uint32_t index);
void tinyol_heads_restart_class(tinyol_heads* h, uint32_t index);
/* Settings by their id; returns a Status. */
int tinyol_heads_set(tinyol_heads* h, uint32_t id, float value);

/* The whole classifier: n rows (n, d), which also go into the running statistics first. applied,
   best (n); probabilities (n, k); novelty (n). */
void tinyol_heads_learn(tinyol_heads* h, const float* rows, const uint16_t* truths, uint64_t n,
                        uint8_t* applied);
void tinyol_heads_predict(tinyol_heads* h, const float* rows, uint64_t n, float* probabilities,
                          float* novelty, int32_t* best);
uint32_t tinyol_heads_lessons(const tinyol_heads* h);

/* The Gaussian head alone. distances (n): d2 of the truth before each lesson; may be NULL. */
void tinyol_gauss_learn(tinyol_heads* h, const float* rows, const uint16_t* truths, uint64_t n,
                        uint32_t horizon, float prior_count, float false_rate, float* distances);
void tinyol_gauss_predict(const tinyol_heads* h, const float* rows, uint64_t n,
                          float* probabilities, float* novelty, int32_t* best);
void tinyol_gauss_distances(const tinyol_heads* h, const float* row, float* distances);
void tinyol_gauss_set_weight(tinyol_heads* h, uint32_t index, float weight);
void tinyol_gauss_restart_limits(tinyol_heads* h);
uint32_t tinyol_gauss_spread_length(const tinyol_heads* h);
/* lessons, weight, log_det, limit, counted (k); mean (k, d); spread (k, spread_length). */
void tinyol_gauss_read(const tinyol_heads* h, uint32_t* lessons, float* weight, float* mean,
                       float* spread, float* log_det, float* limit, uint32_t* counted);

/* The softmax head alone, at a constant rate. Returns whether the step was applied. */
int tinyol_softmax_learn(tinyol_heads* h, const float* scaled, uint32_t truth, float rate, int bias,
                         int balanced, int new_lesson);
int tinyol_softmax_predict(const tinyol_heads* h, const float* scaled, float* probabilities);
void tinyol_softmax_read(const tinyol_heads* h, uint32_t* lessons, float* weights, float* bias,
                         uint32_t* applied);

/* The rehearsal buffer alone. values: (limit, d); groups (limit); seen (k). */
void tinyol_rehearsal_add(tinyol_heads* h, const float* rows, const uint16_t* classes, uint64_t n);
int tinyol_rehearsal_draw(tinyol_heads* h, float* features);
uint32_t tinyol_rehearsal_read(const tinyol_heads* h, float* offset, int8_t* exponent,
                               uint8_t* groups, int8_t* values, uint32_t* seen);

/* Sections: 0 SOFT, 1 GAUS, 2 REHE. Returns the length. */
uint32_t tinyol_heads_write(const tinyol_heads* h, int section, uint8_t* out, uint32_t capacity);
/* Returns a Status; 1 where bytes are left. store 0: only validates. */
int tinyol_heads_read(tinyol_heads* h, int section, const uint8_t* bytes, uint32_t length,
                      int store);

/* A reservoir of `rows`; each row's bytes are the number that its offer had (i32). */
typedef struct tinyol_reservoir tinyol_reservoir;
tinyol_reservoir* tinyol_reservoir_new(uint32_t rows, uint32_t random);
void tinyol_reservoir_free(tinyol_reservoir* r);
void tinyol_reservoir_offer(tinyol_reservoir* r, const uint16_t* groups, uint64_t n);
void tinyol_reservoir_drop(tinyol_reservoir* r, uint32_t group, int renumber);
/* groups, offers (rows). Returns the size. */
uint32_t tinyol_reservoir_read(const tinyol_reservoir* r, uint8_t* groups, int32_t* offers);
void tinyol_reservoir_draw(tinyol_reservoir* r, uint64_t n, int32_t* drawn);

/* softmax_f32 in place; its result. */
int tinyol_heads_softmax(float* z, uint32_t n);
void tinyol_heads_exp(const float* x, uint64_t n, float* y);
// cdef end

#ifdef __cplusplus
}
#endif
