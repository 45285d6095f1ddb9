// A device that knows a board by its events alone: what SESSION_BEGIN promises is that this is
// enough. It starts from the image that the session began with. A SAMPLES event may come behind
// the CHANGED events of later indices; a state that is replaced is told behind all samples before.
#pragma once

#include <stdint.h>

#include <deque>
#include <vector>

#include "kept_models.h"
#include "state_checks.h"
#include "tinyol/message.h"

namespace tinyol {
namespace fuzz {

class Shadow {
 public:
  void begin(KeptModel* kept, const Image& image);
  // Something was not told: an event was lost, or the stream has ended.
  void lose() { follows_ = false; }
  bool follows() const { return follows_; }
  void take(Event event, ByteReader payload);
  // The device, when all was told.
  const Device& complete();

 private:
  // What was told of one request.
  struct Change {
    uint64_t at;  // index of the first sample that it holds for
    Request opcode;
    std::vector<uint8_t> payload;
  };

  // What a notice must be about.
  struct Notice {
    uint8_t kind;
    uint8_t phase;
    int16_t class_index;
    uint32_t number;
    bool operator==(const Notice& other) const {
      return kind == other.kind && phase == other.phase && class_index == other.class_index &&
             number == other.number;
    }
  };

  void take_samples(ByteReader in);
  void take_change(ByteReader in);
  void take_notice(ByteReader in);
  void expect_notices(const WindowResult& result);
  void make_changes_until(uint64_t index);
  void make(const Change& change);

  Device device_;
  std::vector<uint8_t> undo_;
  std::deque<Change> changes_;  // still to be made
  std::vector<Notice> told_;    // that were told, and that its own windows had
  std::vector<Notice> expected_;
  bool follows_ = false;
};

}  // namespace fuzz
}  // namespace tinyol
