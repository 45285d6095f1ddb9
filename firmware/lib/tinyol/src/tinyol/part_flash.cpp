#include "tinyol/part_flash.h"

namespace tinyol {

void PartFlash::begin(Flash* whole, uint32_t first_page, uint32_t n_pages) {
  whole_ = whole;
  first_page_ = first_page;
  const uint32_t there = whole->n_pages();
  const uint32_t left = first_page < there ? there - first_page : 0;
  n_pages_ = n_pages < left ? n_pages : left;
}

uint32_t PartFlash::page_bytes() const {
  return whole_->page_bytes();
}

bool PartFlash::inside(uint32_t offset, uint32_t length) const {
  const uint32_t bytes = n_pages_ * page_bytes();
  return offset <= bytes && length <= bytes - offset;
}

Status PartFlash::erase(uint32_t page) {
  return page < n_pages_ ? whole_->erase(first_page_ + page) : Status::kFlash;
}

Status PartFlash::write(uint32_t offset, const uint8_t* data, uint32_t length) {
  if (!inside(offset, length)) return Status::kFlash;
  return whole_->write(first_page_ * page_bytes() + offset, data, length);
}

Status PartFlash::read(uint32_t offset, uint8_t* out, uint32_t length) const {
  if (!inside(offset, length)) return Status::kFlash;
  return whole_->read(first_page_ * page_bytes() + offset, out, length);
}

}  // namespace tinyol
