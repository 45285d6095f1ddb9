// A C face for the core's parts, one by one, so that tests in Python can hold each against its
// float64 reference. Rows are contiguous; every pointer is the caller's.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct {
  float learning_rate;
  int schedule;
  float schedule_steps;
  float l2;
  float clip_norm;
  float weight_limit;
} tinyol_unit_rule;

typedef struct {
  uint32_t applied;
  uint32_t not_finite;
  uint32_t over_limit;
} tinyol_unit_counts;

typedef struct {
  uint16_t window_len;
  uint16_t hop;
  uint8_t axes;
  uint8_t centring;
  float projection[3];
  float centre[3];
  float scale[3];
  float offset;
} tinyol_unit_pipeline;

/* float_math: 0 exp, 1 log, 2 sqrt, 3 sigmoid over n values. */
void tinyol_unit_map(int function, const float* x, uint64_t n, float* y);
float tinyol_unit_dot(const float* a, const float* b, uint32_t n);
float tinyol_unit_squared_distance(const float* a, const float* b, uint32_t n);
float tinyol_unit_sum(const float* a, uint32_t n, uint32_t stride);

/* n rows of d features through RunningStats; count, mean and variance go in and come out. */
void tinyol_unit_statistics(const float* rows, uint64_t n, uint32_t d, uint32_t horizon,
                            uint32_t* count, float* mean, float* variance);
/* n samples offset + spread * u, u uniform in [0, 1) from a generator, through RunningStats and
   through the same recursion in double. */
void tinyol_unit_long_run(uint64_t n, uint32_t horizon, float offset, float spread, float* mean,
                          float* variance, double* exact_mean, double* exact_variance);
void tinyol_unit_standardise(const float* mean, const float* variance, const float* features,
                             uint32_t d, float* scaled);
void tinyol_unit_running_mean(const float* x, uint64_t n, uint32_t horizon, uint32_t* count,
                              float* mean);

float tinyol_unit_rate(const tinyol_unit_rule* rule, uint32_t t);
/* bias may be NULL. Returns whether the step was applied. */
int tinyol_unit_sgd_step(float* weights, float* bias, uint32_t n_in, uint32_t n_out,
                         const float* input, const float* delta, const tinyol_unit_rule* rule,
                         tinyol_unit_counts* counts);

/* SoftmaxHead with the given (k, d) weights; learn() changes them and the counts. */
int tinyol_unit_softmax_predict(const float* weights, uint32_t k, uint32_t d, const float* scaled,
                                float* probabilities);
int tinyol_unit_softmax_learn(float* weights, uint32_t k, uint32_t d, const float* scaled,
                              uint32_t truth, const tinyol_unit_rule* rule,
                              tinyol_unit_counts* counts);
float tinyol_unit_cross_entropy(const float* probabilities, uint32_t truth);

typedef struct tinyol_unit_head tinyol_unit_head;
tinyol_unit_head* tinyol_unit_head_new(const float* weights, const float* bias, uint32_t n_hidden,
                                       uint32_t n_outputs);
void tinyol_unit_head_free(tinyol_unit_head* head);
void tinyol_unit_head_predict(const tinyol_unit_head* head, const float* hidden, int loss,
                              float* output);
int tinyol_unit_head_learn(tinyol_unit_head* head, const float* hidden, const float* target,
                           int loss, const tinyol_unit_rule* rule);
void tinyol_unit_head_read(const tinyol_unit_head* head, float* weights, float* bias,
                           tinyol_unit_counts* counts, uint32_t* clamped);

/* n samples through one P-square estimator; values (n), may be NULL: the estimate after each. */
typedef struct {
  float value;
  uint32_t count;
  uint32_t position[5];
  float height[5];
  int valid;
} tinyol_unit_quantile;
tinyol_unit_quantile tinyol_unit_p2(const float* x, uint64_t n, float probability, float* values);

typedef struct tinyol_unit_metrics tinyol_unit_metrics;
tinyol_unit_metrics* tinyol_unit_metrics_new(uint32_t classes);
void tinyol_unit_metrics_free(tinyol_unit_metrics* metrics);
void tinyol_unit_metrics_add_class(tinyol_unit_metrics* metrics);
void tinyol_unit_metrics_remove_class(tinyol_unit_metrics* metrics, uint32_t index);
void tinyol_unit_metrics_predictions(tinyol_unit_metrics* metrics, const uint16_t* truths,
                                     const uint16_t* predicted, const float* losses, uint64_t n,
                                     uint32_t horizon);
/* confusion (k, k), f1 (k), scores: accuracy, macro F1, mean loss. */
void tinyol_unit_metrics_read(const tinyol_unit_metrics* metrics, uint32_t* confusion, float* f1,
                              float* scores);

/* n samples (n, 3) through one Windower; restarts (n): nonzero = the sample starts anew.
   windows: room for `capacity` rows of inputs; axis_log_variances and means: of x y z. Returns the
   number of windows. */
uint64_t tinyol_unit_windows(const tinyol_unit_pipeline* pipeline, const float* samples, uint64_t n,
                             const uint8_t* restarts, float* windows, float* log_variances,
                             float* axis_log_variances, float* means, uint64_t* last_samples,
                             uint64_t capacity);

uint32_t tinyol_unit_crc32(const uint8_t* data, uint32_t length, uint32_t previous);
int tinyol_unit_check_class_name(const char* name, uint32_t length);
void tinyol_unit_quantize(const float* x, uint32_t n, float scale, int32_t zero_point, int8_t* q);
void tinyol_unit_dequantize(const int8_t* q, uint32_t n, float scale, int32_t zero_point, float* x);

/* Flushes denormals to zero as a library built with -ffast-math does; 0 switches it off again.
   Returns whether it was on before; -1 on a CPU for which this is not written. */
int tinyol_unit_flush_denormals(int on);
// cdef end

#ifdef __cplusplus
}
#endif
