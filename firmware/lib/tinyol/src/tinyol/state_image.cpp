#include "tinyol/fp_contract.h"

#include "tinyol/state_image.h"

#include <string.h>

namespace tinyol {
namespace {

constexpr uint32_t kCoun = tag4('C', 'O', 'U', 'N');
constexpr uint32_t kSett = tag4('S', 'E', 'T', 'T');
constexpr uint32_t kClas = tag4('C', 'L', 'A', 'S');
constexpr uint32_t kStat = tag4('S', 'T', 'A', 'T');
constexpr uint32_t kSoft = tag4('S', 'O', 'F', 'T');
constexpr uint32_t kGaus = tag4('G', 'A', 'U', 'S');
constexpr uint32_t kRehe = tag4('R', 'E', 'H', 'E');
constexpr uint32_t kReco = tag4('R', 'E', 'C', 'O');
constexpr uint32_t kRlsp = tag4('R', 'L', 'S', 'P');
constexpr uint32_t kRehw = tag4('R', 'E', 'H', 'W');
constexpr uint32_t kNorm = tag4('N', 'O', 'R', 'M');
constexpr uint32_t kDrif = tag4('D', 'R', 'I', 'F');
constexpr uint32_t kUnkn = tag4('U', 'N', 'K', 'N');
constexpr uint32_t kMetr = tag4('M', 'E', 'T', 'R');
// Each exactly once, in this order: equal states have equal bytes.
constexpr uint32_t kOrder[] = {kCoun, kSett, kClas, kStat, kSoft, kGaus, kRehe,
                               kReco, kRlsp, kRehw, kNorm, kDrif, kUnkn, kMetr};
constexpr int kSections = sizeof(kOrder) / sizeof(kOrder[0]);

constexpr float kLargestMean = 1e13f;  // a feature's is 1e12 at most: what follows stays below both
constexpr float kLargestVariance = 1e30f;

void write_counters(ByteWriter* out, const Counters& c) {
  out->u64(c.samples);
  out->u64(c.windows);
  out->u32(c.gaps);
  out->u32(c.refused_samples);
  out->u32(c.refused_windows);
}

Status read_counters(ByteReader* in, uint64_t* samples, Counters* into, Refusal* refusal) {
  Counters c;
  c.samples = in->u64();
  c.windows = in->u64();
  c.gaps = in->u32();
  c.refused_samples = in->u32();
  c.refused_windows = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "COUN");
  if (c.windows > c.samples || c.samples > kMostSamples) {
    return refuse(refusal, Status::kMalformed, "COUN");
  }
  *samples = c.samples;
  if (into != nullptr) *into = c;
  return Status::kOk;
}

void write_statistics(ByteWriter* out, const RunningStats& stats) {
  out->u16(stats.n_features);
  out->u16(0);
  out->u32(stats.count);
  out->f32s(stats.mean, stats.n_features);
  out->f32s(stats.variance, stats.n_features);
}

Status read_statistics(ByteReader* in, uint16_t n_features, RunningStats* into, Refusal* refusal) {
  const uint16_t found = in->u16();
  const uint16_t reserved = in->u16();
  const uint32_t count = in->u32();
  if (!in->ok() || found != n_features || reserved != 0) {
    return refuse(refusal, Status::kMalformed, "STAT", n_features, found);
  }
  if (in->remaining() < 8u * n_features) return refuse(refusal, Status::kTruncated, "STAT");
  if (into != nullptr) {
    into->reset(n_features);
    into->count = count;
  }
  // Before the first sample all are zero: from any other start a variance could turn negative.
  const float largest_mean = count > 0 ? kLargestMean : 0.0f;
  const float largest_variance = count > 0 ? kLargestVariance : 0.0f;
  for (uint16_t j = 0; j < n_features; ++j) {
    const float mean = in->bounded_f32(largest_mean);
    if (into != nullptr) into->mean[j] = mean;
  }
  for (uint16_t j = 0; j < n_features; ++j) {
    const float variance = in->bounded_f32(largest_variance);
    if (!(variance >= 0.0f)) in->fail();
    if (into != nullptr) into->variance[j] = variance;
  }
  return in->ok() ? Status::kOk : refuse(refusal, Status::kNotFinite, "STAT");
}

// GAUS begins with the lessons of all heads.
Status read_gaussian(ByteReader* in, const LearnedState& model_state, uint16_t n_classes,
                     LearnedState* into, Refusal* refusal) {
  const uint32_t lessons = in->u32();
  if (!in->ok()) return refuse(refusal, Status::kTruncated, "GAUS");
  const Status status =
      GaussianHead::read(in, model_state.classifier.gaussian, n_classes,
                         into != nullptr ? &into->classifier.gaussian : nullptr, refusal);
  if (status == Status::kOk && into != nullptr) into->classifier.lessons = lessons;
  return status;
}

// One pass over the image: with `into` null it only validates. `present` has the model's shapes.
Status walk(const Model& model, const LearnedState& present, ImageReader reader, LearnedState* into,
            Refusal* refusal) {
  const uint16_t n_features = present.statistics.n_features;
  uint16_t n_classes = 0;
  uint64_t samples = 0;
  for (int i = 0; i < kSections; ++i) {
    Section section;
    char tag[5];
    tag_text(kOrder[i], tag);
    if (reader.at_end()) return refuse(refusal, Status::kMalformed, tag);
    Status status = reader.next(&section, refusal);
    if (status != Status::kOk) return status;
    if (section.tag != kOrder[i]) {
      tag_text(section.tag, tag);
      return refuse(refusal, Status::kUnknownSection, tag);
    }
    ByteReader* in = &section.payload;
    switch (section.tag) {
      case kCoun:
        status = read_counters(in, &samples, into != nullptr ? &into->counters : nullptr, refusal);
        break;
      case kSett:
        status = Settings::read(in, Settings::Which::kAll,
                                into != nullptr ? &into->settings : nullptr, refusal);
        break;
      case kClas:
        status = ClassTable::read(in, model.max_classes, into != nullptr ? &into->classes : nullptr,
                                  &n_classes, refusal);
        break;
      case kStat:
        status =
            read_statistics(in, n_features, into != nullptr ? &into->statistics : nullptr, refusal);
        break;
      case kSoft:
        status = SoftmaxHead::read(in, n_features, n_classes,
                                   into != nullptr ? &into->classifier.softmax : nullptr, refusal);
        break;
      case kGaus:
        status = read_gaussian(in, present, n_classes, into, refusal);
        break;
      case kRehe:
        status =
            RehearsalBuffer::read(in, n_features, n_classes, model.rehearsal_rows,
                                  into != nullptr ? &into->classifier.rehearsal : nullptr, refusal);
        break;
      case kReco:
        status =
            ReconstructionHead::read(in, model.n_hidden, model.n_outputs, model.has_bias,
                                     into != nullptr ? &into->reconstruction : nullptr, refusal);
        break;
      case kRlsp:
        status = RecursiveLeastSquares::read(
            in, static_cast<uint16_t>(model.n_hidden + (model.has_bias ? 1 : 0)),
            into != nullptr ? &into->least_squares : nullptr, refusal);
        break;
      case kRehw:
        status =
            WindowRehearsal::read(in, model.n_outputs, model.rehearsal_windows,
                                  into != nullptr ? &into->window_rehearsal : nullptr, refusal);
        break;
      case kNorm:
        status = AnomalyDetector::read(in, into != nullptr ? &into->detector : nullptr, refusal);
        break;
      case kDrif:
        status = DriftMonitor::read(in, into != nullptr ? &into->drift : nullptr, refusal);
        break;
      case kUnkn:
        status = UnknownEvents::read(in, n_features, samples,
                                     into != nullptr ? &into->unknown : nullptr, refusal);
        break;
      case kMetr:
        status = Metrics::read(in, n_classes, into != nullptr ? &into->metrics : nullptr, refusal);
        break;
    }
    if (status != Status::kOk) return status;
    if (in->remaining() != 0) return refuse(refusal, Status::kMalformed, tag);
  }
  if (!reader.at_end()) {
    Section extra;
    const Status status = reader.next(&extra, refusal);
    if (status != Status::kOk) return status;
    char tag[5];
    tag_text(extra.tag, tag);
    return refuse(refusal, Status::kUnknownSection, tag);
  }
  return Status::kOk;
}

}  // namespace

uint32_t max_state_image_bytes(const Model& model, uint16_t n_features) {
  const uint32_t k = model.max_classes;
  const uint32_t d = n_features;
  const uint32_t layer = 24;
  const uint32_t quantile = 44;
  const uint32_t spread = model.full_covariance ? d * (d + 1) / 2 : d;
  const uint32_t rls = model.n_hidden + (model.has_bias ? 1u : 0u);
  const auto padded = [](uint32_t bytes) { return (bytes + 3) & ~3u; };
  uint32_t n = kImageHeaderBytes + kImageCrcBytes + kSections * kSectionHeaderBytes;
  n += 28;                                                                            // COUN
  n += 4 + 8 * kSettingCount;                                                         // SETT
  n += 4 + (kMaxNameBytes + 1) * k;                                                   // CLAS
  n += 8 + 8 * d;                                                                     // STAT
  n += layer + 4 * k * (d + 2);                                                       // SOFT
  n += 4 + 8 + k * (8 + 4 * (d + spread) + quantile);                                 // GAUS
  n += padded(12 + 4 * k + 5 * d + model.rehearsal_rows * (1 + d));                   // REHE
  n += layer + 4u * model.n_outputs * (model.n_hidden + (model.has_bias ? 1u : 0u));  // RECO
  n += 8 + 2 * rls * (rls + 1);                                                       // RLSP
  n += padded(12u + model.rehearsal_windows * model.n_outputs);                       // REHW
  n += 24 + quantile + 12;                                                            // NORM
  n += 44;                                                                            // DRIF
  n += 28 + kUnknownEvents * (36 + 4u * kUnknownVectors * d);                         // UNKN
  n += 20 + kErrorQuantiles * quantile + 4 * k * k;                                   // METR
  return n;
}

uint32_t write_state_image(const Model& model, const LearnedState& state, uint8_t* out,
                           uint32_t capacity) {
  ImageWriter image(out, capacity);
  image.begin(kStateMagic, kStateFormat, model.id);
  for (uint32_t tag : kOrder) {
    ByteWriter* section = image.begin_section(tag);
    switch (tag) {
      case kCoun:
        write_counters(section, state.counters);
        break;
      case kSett:
        state.settings.write(section);
        break;
      case kClas:
        state.classes.write(section);
        break;
      case kStat:
        write_statistics(section, state.statistics);
        break;
      case kSoft:
        state.classifier.softmax.write(section);
        break;
      case kGaus:
        section->u32(state.classifier.lessons);
        state.classifier.gaussian.write(section);
        break;
      case kRehe:
        state.classifier.rehearsal.write(section, state.classes.size);
        break;
      case kReco:
        state.reconstruction.write(section);
        break;
      case kRlsp:
        state.least_squares.write(section);
        break;
      case kRehw:
        state.window_rehearsal.write(section);
        break;
      case kNorm:
        state.detector.write(section);
        break;
      case kDrif:
        state.drift.write(section);
        break;
      case kUnkn:
        state.unknown.write(section);
        break;
      case kMetr:
        state.metrics.write(section);
        break;
    }
    image.end_section();
  }
  return image.finish();
}

Status read_state_image(const Model& model, const uint8_t* image, uint32_t length,
                        LearnedState* state, Refusal* refusal) {
  ImageReader reader;
  Status status = reader.open(image, length, kStateMagic, kStateFormat, refusal);
  if (status != Status::kOk) return status;
  if (memcmp(reader.model_id(), model.id, kModelIdBytes) != 0) {
    return refuse(refusal, Status::kWrongModel, "model id");
  }
  status = walk(model, *state, reader, nullptr, refusal);
  if (status != Status::kOk) return status;
  return walk(model, *state, reader, state, refusal);
}

}  // namespace tinyol
