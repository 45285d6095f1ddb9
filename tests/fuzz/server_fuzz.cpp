// Fuzz target: everything that can happen to a board between two power cuts. Bytes and requests on
// two links, samples of its own sensor, time; BoardUnderTest checks each reply, and in the end
// the state must be sound and complete. tests/fuzz/make_corpus.py writes inputs:
//
//   u8 header: bit 0 model, bit 1 one SELF_TEST is executed, bits 2-3 and 4-5 what the links
//   carry (kLimits), bit 6 what follows is checked too, bit 7 link 1 is a GATT service (bits 4-5
//   then are of kRooms)
//   u8 kind: bit 0 the board has no model, bit 1 it cannot keep a key; bit 2 it is paired at the
//   start, bit 3 reading needs its key then, bits 4 and 5 the host at link 0 and 1 has shown to
//   know it, bits 6 and 7 link 0 and 1 are radios
//   then actions until the end: u8 action: bits 0-2 what (Action), bit 3 link, bits 4-7 variant;
//   then what the action reads
#include "board_under_test.h"
#include "check.h"
#include "fuzz_input.h"
#include "state_checks.h"
#include "tinyol/crc32.h"
#include "tinyol/float_math.h"

namespace {

using tinyol::ByteReader;
using tinyol::ByteWriter;
using tinyol::Device;
using tinyol::MessageHeader;
using tinyol::Request;
using tinyol::fuzz::BoardUnderTest;
using tinyol::fuzz::FuzzInput;
using tinyol::fuzz::Image;

enum class Action : uint8_t {
  kRequest,     // u8 opcode, u8 n, n bytes: the session's next request; variant bit 0: u8 seed of
                // a challenge: before it the host authenticates
  kBytes,       // u8 n, n bytes as they are
  kOddRequest,  // as kRequest, with something unusual about it: the variant
  kSense,       // u8 n, u8 size, u8 seed: so many samples of noise; variant bit 0: after a gap,
                // bit 1: then u8 slot + 1, u8 level, u8 n, n bytes: a condition
  kFeed,        // the same as FEED requests
  kTime,        // u8 units of 64 ms; variant bit 0 the link gets stuck or free, 1 it is dropped,
                // 2 an hour, 3 u16: the flash fails after so many words (0: no longer)
  kDownload,    // u8 chunk - 16; variant bit 0 SESSION_BEGIN, bit 1 the last chunk is not read
  kUpload,      // u8 chunk - 16, u8 n, n patches (u8 word, u32 value); variant: bit 0 of the image
                // downloaded last, bit 1 with a wrong CRC, bit 2 the last chunk is not written,
                // bit 3 the image's own CRC is wrong
};

constexpr uint32_t kLimits[] = {512, 244, 185, 136};
constexpr uint32_t kRooms[] = {20, 100, 182, 509};  // of a notification
// A board's work is bounded so that an input takes milliseconds at most.
constexpr uint32_t kMostSamples = 240;
constexpr uint32_t kMostTransfers = 4;
constexpr uint32_t kSamplesPerFeed = 40;
constexpr uint32_t kLeastChunk = 16;

constexpr uint8_t opcode_of(Request request) {
  return static_cast<uint8_t>(request);
}

class Play {
 public:
  Play(FuzzInput* input, BoardUnderTest* board) : input_(input), board_(board) {
    if (board->has.model) image_ = tinyol::fuzz::export_of(board->device);
  }

  void hello(int link, uint64_t nonce) {
    uint8_t payload[16];
    ByteWriter out(payload, sizeof(payload));
    out.u64(nonce);
    out.u64(0);
    FUZZ_CHECK(board_->ask(link, opcode_of(Request::kHello), payload, sizeof(payload)));
  }

  void act() {
    const uint8_t action = input_->u8();
    link_ = action >> 3 & 1;
    const uint8_t variant = action >> 4;
    switch (static_cast<Action>(action & 7)) {
      case Action::kRequest:
        return request(variant);
      case Action::kBytes:
        return bytes();
      case Action::kOddRequest:
        return odd_request(variant);
      case Action::kSense:
        samples((variant & 1) != 0, false);
        if ((variant & 2) != 0) condition();
        return;
      case Action::kFeed:
        return samples((variant & 1) != 0, true);
      case Action::kTime:
        return time(variant);
      case Action::kDownload:
        return download(variant);
      case Action::kUpload:
        return upload(variant);
    }
  }

 private:
  void request(uint8_t variant) {
    if ((variant & 1) != 0) board_->authenticate(link_, input_->u8());
    const uint8_t opcode = input_->u8();
    uint32_t n;
    const uint8_t* payload = input_->bytes(input_->u8(), &n);
    board_->ask(link_, opcode, payload, n);
  }

  void bytes() {
    uint32_t n;
    const uint8_t* raw = input_->bytes(input_->u8(), &n);
    board_->receive_bytes(link_, raw, n);
  }

  void odd_request(uint8_t variant) {
    const uint8_t opcode = input_->u8();
    uint32_t n;
    const uint8_t* payload = input_->bytes(input_->u8(), &n);
    MessageHeader header = board_->next_request(link_, opcode);
    uint32_t trailer = 0;
    uint32_t wrong_length = 0;
    if (variant == 13) return replay(opcode);
    switch (variant) {
      case 0:
        header.sequence -= 1;  // a repeat
        break;
      case 1:
        header.sequence += 1;
        break;
      case 2:
        header.sequence -= 2;
        break;
      case 3:
        header.session ^= 1;
        break;
      case 4:
        header.boot_id ^= 1;
        break;
      case 5:
        header.flags = tinyol::kFlagAuthenticated;
        trailer = tinyol::kAuthTrailerBytes;
        break;
      case 6:
        header.flags = 2;
        break;
      case 7:
        header.kind = tinyol::MessageKind::kReply;
        break;
      case 8:
        wrong_length = 1;
        break;
      case 9:
        header.sequence = 0;
        break;
      default:
        break;
    }
    uint8_t message[tinyol::kMaxMessageBytes];
    ByteWriter out(message, sizeof(message));
    begin_message(&out, header);
    if (n > 0) out.bytes(payload, n);
    uint32_t length = end_message(&out);
    if (wrong_length != 0) message[12] ^= 1;
    const uint8_t zeros[tinyol::kAuthTrailerBytes] = {};
    out.bytes(zeros, trailer);
    length += trailer;
    if (variant >= 10) length = sealed(variant, message, length);
    board_->receive_message(link_, message, length);
  }

  // A MAC that is not quite right, or right behind something odd.
  uint32_t sealed(uint8_t variant, uint8_t* message, uint32_t length) {
    switch (variant) {
      case 10: {  // one bit of the MAC
        const uint32_t n = board_->seal(link_, tinyol::fuzz::kToDevice, 0, message, length);
        message[length + length % tinyol::kAuthTrailerBytes] ^= 1;
        return n;
      }
      case 11:  // the number is another
        return board_->seal(link_, tinyol::fuzz::kToDevice, 1, message, length);
      case 12:  // as the board itself would
        return board_->seal(link_, tinyol::fuzz::kToHost, 0, message, length);
      case 14: {  // the content was changed behind it
        const uint32_t n = board_->seal(link_, tinyol::fuzz::kToDevice, 0, message, length);
        message[length - 1] ^= 0x20;
        return n;
      }
      case 15:  // all is right
        return board_->seal(link_, tinyol::fuzz::kToDevice, 0, message, length);
      default:  // a live session's request without one
        return length;
    }
  }

  // What was sent with a MAC comes again, on whatever link; or the board's own reply does.
  void replay(uint8_t which) {
    std::vector<uint8_t> message = board_->links[link_].sent;
    if ((which & 128) != 0 && message.size() > 2) {
      message[1] = static_cast<uint8_t>(tinyol::MessageKind::kRequest);
    }
    const size_t n = board_->recorded.size();
    if ((which & 64) == 0 && n > 0) message = board_->recorded[which % n];
    if (message.empty()) return;
    board_->receive_message(link_, message.data(), static_cast<uint32_t>(message.size()));
  }

  void samples(bool gap, bool by_feed) {
    uint32_t n = input_->u8();
    const uint8_t size = input_->u8();
    uint32_t random = input_->u8();
    if (n > kMostSamples - n_samples_) n = kMostSamples - n_samples_;
    n_samples_ += n;
    // From 2^-16 to beyond what is plausible; the last ones are not finite.
    float scale = tinyol::float_from_bits((111u + (size & 31u)) << 23);
    if (size >= 254) scale = tinyol::float_from_bits(size == 254 ? 0x7F800000u : 0x7FC00000u);
    uint8_t payload[4 + 12 * kSamplesPerFeed];
    while (n > 0) {
      const uint32_t part = n < kSamplesPerFeed ? n : kSamplesPerFeed;
      ByteWriter out(payload, sizeof(payload));
      out.u8(static_cast<uint8_t>(part));
      out.u8(gap ? 1 : 0);
      out.u16(0);
      for (uint32_t i = 0; i < part; ++i) {
        float sample[3];
        tinyol::fuzz::noise(&random, scale, sample);
        if (by_feed) {
          out.f32s(sample, 3);
        } else {
          board_->sense(sample, gap && i == 0);
        }
      }
      if (by_feed) board_->ask(link_, opcode_of(Request::kFeed), payload, out.length());
      gap = false;
      n -= part;
    }
  }

  void condition() {
    const int slot = input_->u8() % 8 - 1;
    const uint8_t level = static_cast<uint8_t>(1 + input_->u8() % 3);
    uint32_t n;
    const uint8_t* text = input_->bytes(input_->u8(), &n);
    board_->condition(slot, level, text, n);
  }

  void time(uint8_t variant) {
    board_->pass(64u * input_->u8());
    if ((variant & 4) != 0) board_->pass(3600000);
    if ((variant & 8) != 0) board_->flash.fails_after = input_->u16();
    if ((variant & 1) != 0) board_->links[link_].stuck = !board_->links[link_].stuck;
    if ((variant & 2) != 0) board_->drop(link_);
  }

  bool transfer_allowed() {
    return board_->has.model && n_transfers_ < kMostTransfers && ++n_transfers_ > 0;
  }

  void download(uint8_t variant) {
    const uint32_t chunk = input_->u8() + kLeastChunk;
    if (!transfer_allowed()) return;
    const bool begins_session = (variant & 1) != 0;
    const Image before = tinyol::fuzz::export_of(board_->device);
    const uint8_t streams = tinyol::kStreamPredictions | tinyol::kStreamSamples |
                            tinyol::kStreamChanges | tinyol::kStreamNotices;
    const bool granted = begins_session
                             ? board_->ask(link_, opcode_of(Request::kSessionBegin), &streams, 1)
                             : board_->ask(link_, opcode_of(Request::kImageGet), nullptr, 0);
    if (!granted) return;
    ByteReader told = board_->body(link_);
    const uint32_t length = told.u32();
    const uint32_t crc = told.u32();
    FUZZ_CHECK(told.ok() && told.remaining() == 0);
    FUZZ_CHECK(before.size() == length && tinyol::crc32(before.data(), length) == crc);
    if (begins_session) board_->follow(link_, before);
    Image image;
    while (image.size() < length) {
      const uint32_t at = static_cast<uint32_t>(image.size());
      const uint32_t n = chunk < length - at ? chunk : length - at;
      if ((variant & 2) != 0 && at + n == length) return;
      uint8_t payload[8];
      ByteWriter out(payload, sizeof(payload));
      out.u32(at);
      out.u32(n);
      if (!board_->ask(link_, opcode_of(Request::kImageRead), payload, sizeof(payload))) {
        // More than the link carries, or dropped meanwhile.
        FUZZ_CHECK(n + 28 + 8 > board_->links[link_].limit);
        return;
      }
      ByteReader in = board_->body(link_);
      FUZZ_CHECK(in.remaining() == n);
      const uint8_t* bytes = in.bytes(n);
      image.insert(image.end(), bytes, bytes + n);
    }
    FUZZ_CHECK(image == before);
    image_ = image;
  }

  void upload(uint8_t variant) {
    const uint32_t most =
        board_->links[link_].limit - tinyol::kMessageHeaderBytes - tinyol::kAuthTrailerBytes - 4;
    const uint32_t asked = input_->u8() + kLeastChunk;
    const uint32_t chunk = asked < most ? asked : most;
    const uint32_t n_patches = input_->u8() & 15u;
    if (!board_->has.model) return;
    Image image = (variant & 1) != 0 ? image_ : tinyol::fuzz::export_of(board_->device);
    const uint32_t n_words = static_cast<uint32_t>(image.size()) / 4 - 1;
    for (uint32_t i = 0; i < n_patches; ++i) {
      const uint32_t at = 4 * (input_->u16() % n_words);
      const uint32_t word = input_->u32();
      for (uint32_t b = 0; b < 4; ++b) image[at + b] = static_cast<uint8_t>(word >> (8 * b));
    }
    if (!transfer_allowed()) return;
    const uint32_t length = static_cast<uint32_t>(image.size());
    if ((variant & 8) == 0) {
      const uint32_t crc = tinyol::crc32(image.data(), length - 4);
      for (uint32_t b = 0; b < 4; ++b) image[length - 4 + b] = static_cast<uint8_t>(crc >> (8 * b));
    }
    uint8_t payload[4 + kLeastChunk + UINT8_MAX];
    {
      ByteWriter out(payload, sizeof(payload));
      out.u32(length);
      out.u32(tinyol::crc32(image.data(), length) ^ ((variant & 2) != 0 ? 1u : 0u));
      if (!board_->ask(link_, opcode_of(Request::kImagePut), payload, out.length())) return;
    }
    for (uint32_t at = 0; at < length; at += chunk) {
      const uint32_t n = chunk < length - at ? chunk : length - at;
      if ((variant & 4) != 0 && at + n == length) return;
      ByteWriter out(payload, sizeof(payload));
      out.u32(at);
      out.bytes(image.data() + at, n);
      FUZZ_CHECK(board_->ask(link_, opcode_of(Request::kImageWrite), payload, out.length()));
    }
    const bool taken = board_->ask(link_, opcode_of(Request::kImageCommit), nullptr, 0);
    if (taken) FUZZ_CHECK(tinyol::fuzz::export_of(board_->device) == image);
    if ((variant & 2) != 0) FUZZ_CHECK(!taken);
  }

  FuzzInput* input_;
  BoardUnderTest* board_;
  Image image_;  // the last one that was downloaded whole; at first, that of the start
  int link_ = 0;
  uint32_t n_samples_ = 0;
  uint32_t n_transfers_ = 0;
};

}  // namespace

namespace {

void begin_paired(BoardUnderTest* board, Play* play, uint8_t kind) {
  board->pair();
  play->hello(1, 2);  // it was dropped
  if ((kind & 8) != 0) {
    const uint8_t shut[4] = {1};
    FUZZ_CHECK(board->authenticate(0, 0));
    FUZZ_CHECK(board->ask(0, opcode_of(Request::kAccessSet), shut, sizeof(shut)));
    play->hello(0, 3);
  }
  if ((kind & 16) != 0) FUZZ_CHECK(board->authenticate(0, 1));
  if ((kind & 32) != 0) FUZZ_CHECK(board->authenticate(1, 2));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  FuzzInput input(data, length);
  const uint8_t header = input.u8();
  const uint8_t kind = input.u8();
  const bool has_model = (kind & 1) == 0;
  const uint32_t keyless = tinyol::fuzz::kKeptModels + 1;
  BoardUnderTest board(&tinyol::fuzz::bench((kind & 2) != 0 ? keyless
                                            : has_model     ? header & 1
                                                            : tinyol::fuzz::kKeptModels));
  board.self_tests = (header & 2) != 0;
  board.links[0].limit = kLimits[header >> 2 & 3];
  board.links[1].limit = kLimits[header >> 4 & 3];
  if ((header & 128) != 0) board.use_gatt(kRooms[header >> 4 & 3]);
  Play play(&input, &board);
  play.hello(0, 1);
  play.hello(1, 2);
  if ((kind & 4) != 0 && board.has.key) begin_paired(&board, &play, kind);
  if ((kind & 64) != 0) board.access[0].physical = false;
  if ((kind & 128) != 0) board.access[1].physical = false;
  while (!input.at_end()) play.act();
  board.check_shadow(0);
  board.check_shadow(1);
  board.check_name();
  board.check_key();
  if (!board.has.model) {
    board.check_nothing_learned();
    return 0;
  }

  tinyol::fuzz::check_sound(board.device.state());
  static Device other;
  FUZZ_CHECK(other.load(board.kept.model, &board.kept.net, nullptr) == tinyol::Status::kOk);
  board.check_store(&other);
  const Image image = tinyol::fuzz::check_round_trip(board.device, &other);
  if ((header & 64) != 0) tinyol::fuzz::check_same_future(image, &board.device, &other, 16);
  return 0;
}
