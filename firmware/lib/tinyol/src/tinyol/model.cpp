#include "tinyol/fp_contract.h"

#include "tinyol/model.h"

#include <string.h>

#include "tinyol/gaussian_head.h"
#include "tinyol/layer_section.h"
#include "tinyol/settings.h"

namespace tinyol {
namespace {

constexpr uint32_t kPipe = tag4('P', 'I', 'P', 'E');
constexpr uint32_t kLims = tag4('L', 'I', 'M', 'S');
constexpr uint32_t kNetb = tag4('N', 'E', 'T', 'B');
constexpr uint32_t kReco = tag4('R', 'E', 'C', 'O');
constexpr uint32_t kSett = tag4('S', 'E', 'T', 'T');
constexpr uint32_t kNorm = tag4('N', 'O', 'R', 'M');
constexpr uint32_t kTest = tag4('T', 'E', 'S', 'T');
constexpr uint32_t kOrder[] = {kPipe, kLims, kNetb, kReco, kSett, kNorm, kTest};
constexpr int kSections = sizeof(kOrder) / sizeof(kOrder[0]);

constexpr float kMaxScale = 1e6f;

Status read_pipeline(ByteReader* in, Pipeline* p, Refusal* refusal) {
  p->rate_hz = in->finite_f32();
  p->window_len = in->u16();
  p->hop = in->u16();
  const uint8_t axes = in->u8();
  const uint8_t centring = in->u8();
  p->features = in->u8();
  const uint8_t error_source = in->u8();
  for (float& v : p->projection) v = in->bounded_f32(kMaxScale);
  for (float& v : p->centre) v = in->bounded_f32(kMaxScale);
  for (float& v : p->scale) v = in->bounded_f32(kMaxScale);
  p->offset = in->bounded_f32(kMaxScale);
  if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "PIPE");
  if (!(p->rate_hz > 0.0f)) return refuse(refusal, Status::kBadValue, "rate_hz");
  if (p->window_len < 2) return refuse(refusal, Status::kBadValue, "window_len", 2, p->window_len);
  if (p->hop == 0) return refuse(refusal, Status::kBadValue, "hop", 1, 0);
  if (axes > 1) return refuse(refusal, Status::kUnsupported, "axes", 1, axes);
  if (centring > 1) return refuse(refusal, Status::kUnsupported, "centring", 1, centring);
  if (p->features == 0 || p->features > kFeatureAll) {
    return refuse(refusal, Status::kUnsupported, "features", kFeatureAll, p->features);
  }
  if (error_source > 1) return refuse(refusal, Status::kUnsupported, "error_source");
  p->axes = static_cast<Axes>(axes);
  p->centring = static_cast<Centring>(centring);
  p->error_source = static_cast<ErrorSource>(error_source);
  return Status::kOk;
}

Status read_limits(ByteReader* in, Model* model, Refusal* refusal) {
  model->max_classes = in->u16();
  model->ring_len = in->u16();
  const uint8_t covariance = in->u8();
  const uint8_t reserved = in->u8();
  model->rehearsal_rows = in->u16();
  model->rehearsal_windows = in->u16();
  if (in->u16() != 0 || reserved != 0 || !in->ok() || in->remaining() != 0) {
    return refuse(refusal, Status::kMalformed, "LIMS");
  }
  if (covariance > 1) return refuse(refusal, Status::kUnsupported, "covariance", 1, covariance);
  model->full_covariance = covariance == 1;
  return Status::kOk;
}

Status read_normal(ByteReader* in, Model* model, Refusal* refusal) {
  Status status = NormalStats::read(in, &model->normal, refusal);
  if (status != Status::kOk) return status;
  model->n_priors = in->u16();
  const uint16_t reserved = in->u16();
  model->priors = *in;
  for (uint16_t j = 0; j < model->n_priors; ++j) {
    const float prior = in->bounded_f32(kMostPrior);
    if (!(prior >= kLeastPrior)) in->fail();
  }
  if (!in->ok() || in->remaining() != 0 || reserved != 0 || model->n_priors == 0) {
    return refuse(refusal, Status::kMalformed, "NORM priors");
  }
  return Status::kOk;
}

Status read_golden(ByteReader* in, GoldenVectors* golden, Refusal* refusal) {
  golden->seed = in->u32();
  golden->count = in->u16();
  const uint16_t reserved = in->u16();
  golden->crc = in->u32();
  if (!in->ok() || in->remaining() != 0 || reserved != 0 || golden->seed == 0) {
    return refuse(refusal, Status::kMalformed, "TEST");
  }
  if (golden->count > kMaxGoldenVectors) {
    return refuse(refusal, Status::kBadValue, "TEST vectors", kMaxGoldenVectors, golden->count);
  }
  return Status::kOk;
}

}  // namespace

Status Model::parse(const uint8_t* image, uint32_t length, Refusal* refusal) {
  ImageReader reader;
  Status status = reader.open(image, length, kModelMagic, kModelFormat, refusal);
  if (status != Status::kOk) return status;

  Model found;
  memcpy(found.id, reader.model_id(), kModelIdBytes);
  for (int i = 0; i < kSections; ++i) {
    Section section;
    char tag[5];
    tag_text(kOrder[i], tag);
    if (reader.at_end()) return refuse(refusal, Status::kMalformed, tag);
    status = reader.next(&section, refusal);
    if (status != Status::kOk) return status;
    if (section.tag != kOrder[i]) {
      tag_text(section.tag, tag);
      return refuse(refusal, Status::kUnknownSection, tag);
    }
    ByteReader in = section.payload;
    switch (section.tag) {
      case kPipe:
        status = read_pipeline(&in, &found.pipeline, refusal);
        if (status != Status::kOk) return status;
        break;
      case kLims:
        status = read_limits(&in, &found, refusal);
        if (status != Status::kOk) return status;
        break;
      case kNetb:
        found.net = in.here();
        found.net_bytes = in.remaining();
        break;
      case kReco: {
        found.head = in;
        ByteReader shape = in;
        found.n_hidden = shape.u16();
        found.n_outputs = shape.u16();
        found.has_bias = shape.u8() != 0;
        status = read_layer(&in, tag, found.n_hidden, found.n_outputs, found.has_bias,
                            LayerTarget(), refusal);
        if (status != Status::kOk) return status;
        if (in.remaining() != 0) return refuse(refusal, Status::kMalformed, tag);
        break;
      }
      case kSett:
        found.settings = in;
        status = Settings::read(&in, Settings::Which::kSome, nullptr, refusal);
        if (status != Status::kOk) return status;
        if (in.remaining() != 0) return refuse(refusal, Status::kMalformed, tag);
        break;
      case kNorm:
        status = read_normal(&in, &found, refusal);
        if (status != Status::kOk) return status;
        break;
      case kTest:
        status = read_golden(&in, &found.golden, refusal);
        if (status != Status::kOk) return status;
        break;
    }
  }
  if (!reader.at_end()) return refuse(refusal, Status::kMalformed, "after TEST");
  if (found.n_outputs != found.pipeline.inputs()) {
    return refuse(refusal, Status::kMalformed, "RECO outputs", found.pipeline.inputs(),
                  found.n_outputs);
  }
  if (found.n_hidden == 0) return refuse(refusal, Status::kMalformed, "RECO inputs", 1, 0);
  *this = found;
  return Status::kOk;
}

}  // namespace tinyol
