// What was learned goes to flash: on request, and by itself (autosave.h).
#include "tinyol/server.h"

namespace tinyol {

Status Server::save_requested(int link_index, ByteWriter* out, Refusal* refusal) {
  if (store_ == nullptr) return refuse(refusal, Status::kUnsupported, "store");
  if (taken_by_another(link_index)) return refuse(refusal, Status::kBusy, "image transfer");
  end_transfer();  // its image gives way in the staging buffer
  const Status status = save(refusal);
  out->u32(saved_bytes_);
  return status;
}

// The staging buffer is free.
Status Server::save(Refusal* refusal) {
  saved_bytes_ = device_->export_state(staging_, staging_bytes_);
  Status status;
  if (saved_bytes_ == 0) {
    status =
        refuse(refusal, Status::kTooSmall, "staging", device_->max_image_bytes(), staging_bytes_);
  } else {
    status = store_->save(staging_, saved_bytes_, refusal);
  }
  save_failed_ = status != Status::kOk;
  if (!save_failed_) {
    autosave_.saved(device_->changes());
  } else {
    log_once_in_a_while(LogKind::kSaveFailed);
  }
  return status;
}

void Server::save_if_due(uint32_t now_ms) {
  if (store_ == nullptr || transfer_ != Transfer::kNone) return;
  if (autosave_.due(device_->changes(), now_ms)) save(nullptr);
}

uint32_t Server::store_flags() const {
  if (store_ == nullptr) return 0;
  return kStoreThere | (autosave_.unsaved(device_->changes()) ? kStoreUnsaved : 0) |
         (save_failed_ ? kStoreFailed : 0);
}

}  // namespace tinyol
