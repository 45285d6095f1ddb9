// State images in checked chunks. One transfer at a time; the staged image does not change while
// the device goes on learning, and a cut transfer goes on where it stopped.
#include "tinyol/server.h"

#include <string.h>

#include "tinyol/crc32.h"
#include "tinyol/image.h"

namespace tinyol {

Status Server::transfer(int link_index, uint8_t opcode, ByteReader* in, ByteWriter* out,
                        Refusal* refusal) {
  if (taken_by_another(link_index)) return refuse(refusal, Status::kBusy, "image transfer");
  switch (static_cast<Request>(opcode)) {
    case Request::kImageGet:
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      return stage_image(link_index, out, refusal);
    case Request::kImageRead: {
      const uint32_t offset = in->u32();
      const uint32_t n = in->u32();
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      if (transfer_ != Transfer::kGet) return refuse(refusal, Status::kNotFound, "image get");
      if (n == 0 || offset > image_bytes_ || n > image_bytes_ - offset) {
        return refuse(refusal, Status::kBadValue, "image read", image_bytes_, offset);
      }
      out->bytes(staging_ + offset, n);
      // With its last byte the transfer is over and the other link may begin one; should this
      // reply be lost, the repeat is answered from the session's memory.
      if (out->ok() && offset + n == image_bytes_) end_transfer();
      return Status::kOk;
    }
    case Request::kImagePut: {
      const uint32_t bytes = in->u32();
      const uint32_t crc = in->u32();
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      if (bytes < kImageHeaderBytes + kImageCrcBytes) {
        return refuse(refusal, Status::kTruncated, "image", kImageHeaderBytes + kImageCrcBytes,
                      bytes);
      }
      if (bytes > staging_bytes_) {
        return refuse(refusal, Status::kTooSmall, "staging", bytes, staging_bytes_);
      }
      transfer_ = Transfer::kPut;
      transfer_link_ = link_index;
      image_bytes_ = bytes;
      image_crc_ = crc;
      image_filled_ = 0;
      return Status::kOk;
    }
    case Request::kImageWrite: {
      const uint32_t offset = in->u32();
      const uint32_t n = in->remaining();
      const uint8_t* chunk = in->bytes(n);
      if (!in->ok()) return refuse(refusal, Status::kMalformed, "payload");
      if (transfer_ != Transfer::kPut) return refuse(refusal, Status::kNotFound, "image put");
      if (n == 0 || offset != image_filled_ || n > image_bytes_ - offset) {
        return refuse(refusal, Status::kBadValue, "image write", image_filled_, offset);
      }
      memcpy(staging_ + offset, chunk, n);
      image_filled_ += n;
      out->u32(image_filled_);
      return Status::kOk;
    }
    default: {  // kImageCommit
      if (!in->ok() || in->remaining() != 0) return refuse(refusal, Status::kMalformed, "payload");
      if (transfer_ != Transfer::kPut) return refuse(refusal, Status::kNotFound, "image put");
      if (image_filled_ != image_bytes_) {
        return refuse(refusal, Status::kTruncated, "image", image_bytes_, image_filled_);
      }
      end_transfer();  // whatever comes of it: what was staged is of no further use
      if (crc32(staging_, image_bytes_) != image_crc_) {
        return refuse(refusal, Status::kBadChecksum, "image");
      }
      flush_samples(0);  // their indices count from before
      const Status status = device_->import_state(staging_, image_bytes_, refusal);
      if (status == Status::kOk) {
        forget_gaps();
        forget_windows();
      }
      return status;
    }
  }
}

Status Server::stage_image(int link_index, ByteWriter* out, Refusal* refusal) {
  if (taken_by_another(link_index)) return refuse(refusal, Status::kBusy, "image transfer");
  image_bytes_ = device_->export_state(staging_, staging_bytes_);
  if (image_bytes_ == 0) {
    end_transfer();
    return refuse(refusal, Status::kTooSmall, "staging", device_->max_image_bytes(),
                  staging_bytes_);
  }
  transfer_ = Transfer::kGet;
  transfer_link_ = link_index;
  out->u32(image_bytes_);
  out->u32(crc32(staging_, image_bytes_));
  return Status::kOk;
}

void Server::end_transfer() {
  transfer_ = Transfer::kNone;
  transfer_link_ = kNobody;
}

}  // namespace tinyol
