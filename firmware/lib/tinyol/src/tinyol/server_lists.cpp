// Lists in pages: as many from `first` on as fit; the peer asks again for the rest.
#include "tinyol/request_payload.h"
#include "tinyol/server.h"

namespace tinyol {
namespace {

struct Page {
  uint16_t first = 0;
  uint16_t count = 0;
};

// Writes the page's head: u16 count of all, u16 count here.
Page begin_page(uint16_t first, uint16_t all, uint32_t entry_bytes, ByteWriter* out) {
  constexpr uint32_t kHeadBytes = 4;
  const uint32_t room = (out->remaining() - kHeadBytes) / entry_bytes;
  Page page;
  page.first = first;
  const uint16_t left = first < all ? static_cast<uint16_t>(all - first) : 0;
  page.count = left < room ? left : static_cast<uint16_t>(room);
  out->u16(all);
  out->u16(page.count);
  return page;
}

void write_settings(const Settings& settings, uint16_t first, ByteWriter* out) {
  const Page page = begin_page(first, kSettingCount, 8, out);
  for (int i = page.first; i < page.first + page.count; ++i) {
    out->u16(setting_info(i).id);
    out->u16(0);
    out->f32(settings.value[i]);
  }
}

void write_names(const ClassTable& classes, uint16_t first, ByteWriter* out) {
  const Page page = begin_page(first, classes.size, kMaxNameBytes + 1, out);
  for (int k = page.first; k < page.first + page.count; ++k) {
    out->bytes(classes.names[k], kMaxNameBytes + 1);
  }
}

void write_class_status(const GaussianHead& head, uint16_t first, ByteWriter* out) {
  const Page page = begin_page(first, head.n_classes, 12, out);
  for (int k = page.first; k < page.first + page.count; ++k) {
    out->u32(head.lessons[k]);
    out->f32(head.weight[k]);
    out->f32(head.limit(static_cast<uint16_t>(k)));
  }
}

}  // namespace

Status Server::write_list(Request request, ByteReader* in, ByteWriter* out,
                          Refusal* refusal) const {
  const uint16_t first = in->u16();
  if (!complete(*in)) return malformed(refusal);
  const LearnedState& state = device_->state();
  switch (request) {
    case Request::kSettingsList:
      write_settings(state.settings, first, out);
      return Status::kOk;
    case Request::kClassesList:
      write_names(state.classes, first, out);
      return Status::kOk;
    default:  // kClassStatus
      write_class_status(state.classifier.gaussian, first, out);
      return Status::kOk;
  }
}

}  // namespace tinyol
