// A C face for what watches the machine (detector, drift, unknown events) and for the parts of
// fine-tuning that keep a state of their own, so that tests in Python can hold each against its
// float64 reference. Rows are contiguous; every pointer is the caller's.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct {
  uint32_t count;
  float mean[2];
  float covariance[3];
} tinyol_watch_normal;

/* rows (n, 2): ln error, ln variance. */
void tinyol_watch_normal_update(tinyol_watch_normal* normal, const float* rows, uint64_t n,
                                uint32_t horizon);
void tinyol_watch_squared_distances(const tinyol_watch_normal* normal, const float* rows,
                                    uint64_t n, float* distances);
float tinyol_watch_standard_log_error(const tinyol_watch_normal* normal, float log_error);
float tinyol_watch_hotelling_limit(uint32_t n, float false_rate);

/* One of each part. `ring` is the feature ring that unknown events take their vectors from. */
typedef struct tinyol_watch tinyol_watch;
tinyol_watch* tinyol_watch_new(uint32_t n_features, uint32_t ring);
void tinyol_watch_free(tinyol_watch* watch);

/* Sections: 0 NORM's start, 1 NORM, 2 DRIF, 3 UNKN, 4 RLSP, 5 REHW. read: `watch` may be NULL, to
   validate only; `size` is what the section's reader is told (features, inputs), `limit` REHW's.
   Returns the status; `used`: bytes consumed; `where`: 32 characters. */
uint32_t tinyol_watch_write(const tinyol_watch* watch, int section, uint8_t* out,
                            uint32_t capacity);
int tinyol_watch_read(tinyol_watch* watch, int section, const uint8_t* data, uint32_t length,
                      uint32_t size, uint32_t limit, uint32_t* used, char* where);

typedef struct {
  int two_sided;
  float threshold;
  float false_rate;
  uint32_t horizon;
  int learn;
  uint16_t raise;
  uint16_t clear;
} tinyol_watch_rule;

typedef struct {
  float score;
  uint8_t anomaly;
  uint8_t alarm;
  uint8_t began;
  uint8_t ended;
} tinyol_watch_verdict;

typedef struct {
  tinyol_watch_normal normal;
  uint32_t distances;
  uint16_t over;
  uint16_t under;
  uint8_t alarm;
  uint32_t alarms;
} tinyol_watch_detector;

void tinyol_watch_detector_reset(tinyol_watch* watch, const tinyol_watch_normal* start);
void tinyol_watch_detector_take_over(tinyol_watch* watch, const tinyol_watch_normal* fresh);
void tinyol_watch_detector_restart_quantile(tinyol_watch* watch);
float tinyol_watch_detector_limit(const tinyol_watch* watch, float false_rate);
tinyol_watch_detector tinyol_watch_detector_state(const tinyol_watch* watch);
/* rows (n, 3): error, ln error, ln variance; verdicts (n). */
void tinyol_watch_detector_run(tinyol_watch* watch, const float* rows, uint64_t n,
                               const tinyol_watch_rule* rule, tinyol_watch_verdict* verdicts);

typedef struct {
  float tilt_deg;
  float level_g;
  uint16_t windows;
  float delta;
  float lambda_;
} tinyol_watch_drift_rule;

typedef struct {
  uint32_t reference_count;
  float reference[3];
  float recent[3];
  uint32_t recent_count;
  uint8_t moved;
  float up;
  float down;
  uint8_t changed;
} tinyol_watch_drift;

tinyol_watch_drift tinyol_watch_drift_state(const tinyol_watch* watch);
float tinyol_watch_drift_tilt(const tinyol_watch* watch);
void tinyol_watch_drift_restart(tinyol_watch* watch);
void tinyol_watch_drift_acknowledge(tinyol_watch* watch);
/* rows (n, 4): gravity x y z, z score; notices (n): bits 1 moved began, 2 moved ended, 4 changed
   began; tilts (n) and sums (n, 2), after each window. */
void tinyol_watch_drift_run(tinyol_watch* watch, const float* rows, uint64_t n, int judged,
                            const tinyol_watch_drift_rule* rule, uint8_t* notices, float* tilts,
                            float* sums);

/* n windows, each first into the ring, then to the events; vectors (n, n_features), notices (n):
   bits 1 began, 2 ended. */
void tinyol_watch_unknown_run(tinyol_watch* watch, const uint8_t* unknown, const float* novelty,
                              const uint64_t* samples, const float* vectors, uint64_t n,
                              uint16_t least, uint8_t* notices);
typedef struct {
  uint32_t number;
  uint64_t first_sample;
  uint64_t last_sample;
  uint32_t windows;
  float peak_novelty;
  uint8_t named;
  uint16_t kept;
  uint32_t stride;
} tinyol_watch_event;
/* False unless the event is kept; vectors: room for 24 rows. */
int tinyol_watch_unknown_find(const tinyol_watch* watch, uint32_t number, tinyol_watch_event* event,
                              float* vectors);
void tinyol_watch_unknown_named(tinyol_watch* watch, uint32_t number);
void tinyol_watch_unknown_close(tinyol_watch* watch);

/* A layer of weights (n_out, n_in) and bias (n_out) or NULL, changed in place. */
int tinyol_watch_rls_step(tinyol_watch* watch, float* weights, float* bias, uint32_t n_in,
                          uint32_t n_out, const float* input, const float* residual,
                          float forgetting, float weight_limit, uint32_t* counts);
/* p: room for the triangle. Returns n. */
uint32_t tinyol_watch_rls_state(const tinyol_watch* watch, uint32_t* restarts, float* p);
float tinyol_watch_nlms_rate(float rate, const float* input, uint32_t n_in, int bias);

/* rows (n, inputs) of int8; kept (room for the limit, inputs). */
void tinyol_watch_rehearsal_reset(tinyol_watch* watch, uint32_t inputs, uint32_t limit);
void tinyol_watch_rehearsal_add(tinyol_watch* watch, const int8_t* rows, uint64_t n);
uint32_t tinyol_watch_rehearsal_kept(const tinyol_watch* watch, int8_t* kept);
/* The row drawn, or -1. */
int tinyol_watch_rehearsal_draw(tinyol_watch* watch);
// cdef end

#ifdef __cplusplus
}
#endif
