// 64 KB of the Nano 33 BLE's flash, behind the program. An upload may erase them. For another
// board, write these five functions over its flash.
#pragma once

#include <FlashIAP.h>
#include <tinyol.h>

class NanoFlash : public tinyol::Flash {
 public:
  bool begin() { return flash_.init() == 0; }

  uint32_t page_bytes() const override { return 4096; }
  uint32_t n_pages() const override { return 16; }
  tinyol::Status erase(uint32_t page) override {
    return answer(flash_.erase(kStart + page * page_bytes(), page_bytes()));
  }
  tinyol::Status write(uint32_t offset, const uint8_t* data, uint32_t length) override {
    return answer(flash_.program(data, kStart + offset, length));
  }
  tinyol::Status read(uint32_t offset, uint8_t* out, uint32_t length) const override {
    return answer(flash_.read(out, kStart + offset, length));
  }

 private:
  static const uint32_t kStart = 0xF0000;

  static tinyol::Status answer(int error) {
    return error == 0 ? tinyol::Status::kOk : tinyol::Status::kFlash;
  }

  mutable mbed::FlashIAP flash_;  // its read() is not const
};
