// The C face of the device for cffi. Every symbol starts with tinyol_; all memory that a call
// fills belongs to the caller. Calls on one twin must not overlap; different twins are free.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct {
  int status; /* 0, or a negative tinyol::Status */
  char where[32];
  uint32_t need;
  uint32_t have;
} tinyol_refusal;

/* What became of windows: a column each, one entry a window. */
typedef struct {
  int64_t* sample_index;
  int64_t* window_index;
  float* error;
  float* tuned_error;
  float* log_variance;
  float* confidence;
  float* loss;
  float* score;
  float* novelty;
  int16_t* predicted;
  int16_t* label;
  uint16_t* notices; /* bits: tinyol_notice_name() */
  uint8_t* anomaly;
  uint8_t* learned;
  uint8_t* fine_tuned;
  uint8_t* alarm;
  uint8_t* unknown;
  float* features;      /* n_features a window */
  float* probabilities; /* n_classes a window; may be NULL without classes */
} tinyol_windows;

typedef struct {
  uint64_t samples;
  uint64_t windows;
  uint32_t gaps;
  uint32_t refused_samples;
  uint32_t refused_windows;
  uint32_t classifier_steps;
  uint32_t classifier_not_finite;
  uint32_t classifier_over_limit;
  uint32_t reconstruction_steps;
  uint32_t reconstruction_not_finite;
  uint32_t reconstruction_over_limit;
  uint32_t clamped_targets;
  uint32_t fine_tune_left;
} tinyol_counters;

typedef struct {
  float accuracy;
  float macro_f1;
  float mean_loss;
  float mean_error;
  float error_quantile[3]; /* 0.5, 0.9, 0.99 */
  uint32_t labelled;
} tinyol_metrics;

typedef struct {
  uint32_t normal_windows;
  float mean[2];       /* ln error, ln variance */
  float covariance[3]; /* ee, ev, vv */
  float limit;         /* of d2; 0 while the detector settles */
  float score;         /* of the last window fed; 0 before */
  uint32_t alarms;     /* since the state began */
  uint8_t alarm;
  uint8_t moved;
  uint8_t changed;
  uint8_t unknown;                   /* the last window fed was */
  uint32_t calibration_steps_left;   /* of its fine-tuning */
  uint32_t calibration_windows_left; /* 0: none is under way */
  float gravity_reference[3];        /* g */
  float gravity[3];
  float tilt_deg;
  float up;
  float down;
} tinyol_watch;

typedef struct {
  uint64_t first_sample;
  uint64_t last_sample;
  uint32_t number;
  uint32_t windows;
  float peak_novelty;
  uint16_t kept; /* vectors */
  uint8_t named;
  uint8_t open; /* it goes on */
} tinyol_unknown_event;

typedef struct {
  uint32_t lessons;
  float weight;
  float limit; /* of d2; 0 while the class is young */
} tinyol_class_status;

typedef struct {
  int class_index;  /* -1: nothing contradicts */
  uint16_t windows; /* that say so */
  float confidence; /* of the last of them */
} tinyol_contradiction;

typedef struct {
  uint8_t what;    /* the request's number, docs/wire-protocol.md */
  int class_index; /* as of then, -1 = none */
  char class_name[16];
  uint64_t sample_index;
  uint32_t lessons; /* these and the next: since then */
  uint32_t steps;
  uint32_t windows;
  uint32_t other_changes;
} tinyol_undone;

typedef struct {
  uint16_t id;
  const char* name;
  float initial;
  float minimum;
  float maximum;
  int integral;
} tinyol_setting;

typedef struct tinyol_twin tinyol_twin;

/* NULL if the model is refused. */
tinyol_twin* tinyol_twin_new(const uint8_t* model_image, uint32_t length, tinyol_refusal* refusal);
void tinyol_twin_free(tinyol_twin* twin);

uint32_t tinyol_twin_n_features(const tinyol_twin* twin);
uint32_t tinyol_twin_n_hidden(const tinyol_twin* twin);
uint32_t tinyol_twin_n_outputs(const tinyol_twin* twin);
int tinyol_twin_has_bias(const tinyol_twin* twin);

/* n samples, x y z each, in g. labels: NULL, or n class indices (-1 = none): a change of value,
   from one call to the next too, sets the label from that sample on. gaps: sorted indices of
   samples that do not follow the one before. windows: columns with room for `capacity` windows.
   Returns the number of windows written. */
uint64_t tinyol_twin_feed(tinyol_twin* twin, const float* samples, uint64_t n,
                          const int16_t* labels, const int64_t* gaps, uint64_t n_gaps,
                          const tinyol_windows* windows, uint64_t capacity);
/* The most windows that n samples can complete. */
uint64_t tinyol_twin_max_windows(const tinyol_twin* twin, uint64_t n);
void tinyol_twin_gap(tinyol_twin* twin);

int tinyol_twin_label(tinyol_twin* twin, int class_index, uint32_t windows,
                      tinyol_refusal* refusal);
int tinyol_twin_label_back(tinyol_twin* twin, int class_index, uint16_t windows, uint16_t* lessons,
                           tinyol_refusal* refusal);
/* What speaks against a label for the last window, or, with windows > 0, for those that label_back
   would learn. */
void tinyol_twin_contradiction(const tinyol_twin* twin, int class_index, uint16_t windows,
                               tinyol_contradiction* found);
int tinyol_twin_add_class(tinyol_twin* twin, const char* name, uint32_t length, uint16_t* index,
                          tinyol_refusal* refusal);
int tinyol_twin_rename_class(tinyol_twin* twin, uint16_t index, const char* name, uint32_t length,
                             tinyol_refusal* refusal);
int tinyol_twin_remove_class(tinyol_twin* twin, uint16_t index, tinyol_refusal* refusal);
uint16_t tinyol_twin_n_classes(const tinyol_twin* twin);
const char* tinyol_twin_class_name(const tinyol_twin* twin, uint16_t index);

int tinyol_twin_set_class_weight(tinyol_twin* twin, uint16_t index, float weight,
                                 tinyol_refusal* refusal);
int tinyol_twin_relearn(tinyol_twin* twin, int class_index, uint16_t windows, uint16_t* lessons,
                        tinyol_refusal* refusal);
int tinyol_twin_name_unknown(tinyol_twin* twin, uint32_t number, const char* name, uint32_t length,
                             uint16_t* index, uint16_t* lessons, tinyol_refusal* refusal);

int tinyol_twin_fine_tune(tinyol_twin* twin, uint32_t steps, tinyol_refusal* refusal);
int tinyol_twin_calibrate(tinyol_twin* twin, uint32_t fine_tune_steps, uint32_t windows,
                          tinyol_refusal* refusal);
int tinyol_twin_set(tinyol_twin* twin, uint16_t setting_id, float value, tinyol_refusal* refusal);
float tinyol_twin_get(const tinyol_twin* twin, int setting_index);
int tinyol_twin_reset(tinyol_twin* twin, tinyol_refusal* refusal);

/* only_say: nothing is changed. */
int tinyol_twin_undo(tinyol_twin* twin, int only_say, tinyol_undone* undone,
                     tinyol_refusal* refusal);

void tinyol_twin_counters(const tinyol_twin* twin, tinyol_counters* counters);
/* confusion: n_classes squared, row-major [truth][predicted]; f1: n_classes. */
void tinyol_twin_metrics(const tinyol_twin* twin, tinyol_metrics* metrics, uint32_t* confusion,
                         float* f1);
/* softmax (k, d), its bias (k); the Gaussian head's mean (k, d) and spread (k, spread_length);
   the reconstruction layer's weights and bias. */
void tinyol_twin_weights(const tinyol_twin* twin, float* softmax, float* softmax_bias,
                         float* gaussian_mean, float* gaussian_spread, float* reconstruction,
                         float* bias);
uint16_t tinyol_twin_spread_length(const tinyol_twin* twin);
void tinyol_twin_statistics(const tinyol_twin* twin, uint32_t* count, float* mean, float* variance);
void tinyol_twin_watch(const tinyol_twin* twin, tinyol_watch* watch);
/* The events kept, the latest first; returns how many. events: room for tinyol_most_unknown();
   vectors: (tinyol_most_unknown(), tinyol_most_vectors(), n_features). */
uint16_t tinyol_twin_unknown(const tinyol_twin* twin, tinyol_unknown_event* events, float* vectors);
uint16_t tinyol_most_unknown(void);
uint16_t tinyol_most_vectors(void);
/* n_classes of them. */
void tinyol_twin_class_status(const tinyol_twin* twin, tinyol_class_status* status);

uint32_t tinyol_twin_max_image_bytes(const tinyol_twin* twin);
uint32_t tinyol_twin_export(const tinyol_twin* twin, uint8_t* out, uint32_t capacity);
int tinyol_twin_import(tinyol_twin* twin, const uint8_t* image, uint32_t length,
                       tinyol_refusal* refusal);

/* Bit `index` of a window's notices, or NULL behind the last. */
const char* tinyol_notice_name(int index);

int tinyol_setting_count(void);
tinyol_setting tinyol_setting_at(int index);
/* n values through one float32 function of the core: 0 exp, 1 log, 2 sqrt, 3 sigmoid. */
void tinyol_map(int function, const float* x, uint64_t n, float* y);
// cdef end

#ifdef __cplusplus
}
#endif
