#include "tinyol/gatt_link.h"

#include <string.h>

#include "tinyol/server.h"

namespace tinyol {

void GattLink::begin(Server* server, int link_index, GattPort* port) {
  server_ = server;
  link_index_ = link_index;
  port_ = port;
}

void GattLink::on_write(GattCharacteristic characteristic, const uint8_t* value, uint32_t length,
                        uint32_t now_ms) {
  if (characteristic == GattCharacteristic::kEvents || length == 0) return;
  if (characteristic != written_) next_piece_ = 0;  // a message's pieces are all on one of them
  written_ = characteristic;
  if ((value[0] & kPieceMark) != 0) {
    on_piece(value, length, now_ms);
  } else {
    next_piece_ = 0;
    server_->receive(link_index_, value, length, now_ms);
  }
}

// Pieces come in order or not at all: what does not continue is dropped, and the peer repeats.
void GattLink::on_piece(const uint8_t* value, uint32_t length, uint32_t now_ms) {
  const uint8_t number = value[0] & kPieceNumber;
  if (number == 0) {
    request_bytes_ = 0;
  } else if (number != next_piece_) {
    next_piece_ = 0;
    return;
  }
  if (length - 1 > sizeof(request_) - request_bytes_) {
    next_piece_ = 0;
    return;
  }
  memcpy(request_ + request_bytes_, value + 1, length - 1);
  request_bytes_ += length - 1;
  next_piece_ = static_cast<uint8_t>(number + 1);
  if ((value[0] & kLastPiece) == 0) return;
  next_piece_ = 0;
  server_->receive(link_index_, request_, request_bytes_, now_ms);
}

void GattLink::on_disconnected() {
  next_piece_ = 0;
  written_ = GattCharacteristic::kControl;
  server_->drop(link_index_);
}

uint32_t GattLink::max_message() const {
  const uint32_t room = port_->max_notification();
  if (room < kWholeMessageBytes) return kPiecedMessageBytes;
  return room < kMaxMessageBytes ? room : kMaxMessageBytes;
}

bool GattLink::send(const uint8_t* message, uint32_t length) {
  const bool event = message[1] == static_cast<uint8_t>(MessageKind::kEvent);
  const GattCharacteristic where = event ? GattCharacteristic::kEvents : written_;
  const uint32_t room = port_->max_notification();
  if (length <= room) return port_->notify(where, message, length);
  if (room < 2) return false;
  uint8_t piece[kWholeMessageBytes];
  const uint32_t step = (room < sizeof(piece) ? room : sizeof(piece)) - 1;
  uint8_t number = 0;
  for (uint32_t at = 0; at < length; at += step, ++number) {
    const uint32_t n = length - at < step ? length - at : step;
    piece[0] = static_cast<uint8_t>(kPieceMark | number | (at + n == length ? kLastPiece : 0));
    memcpy(piece + 1, message + at, n);
    // The rest of a message with a hole in it would be thrown away by the peer.
    if (!port_->notify(where, piece, n + 1)) return false;
  }
  return true;
}

}  // namespace tinyol
