// A whole device with its protocol server in this process, for the sim: transport: messages in,
// messages out, samples in. The same Server that a board runs.
#pragma once

#include "flash_api.h"
#include "twin_api.h"

#ifdef __cplusplus
extern "C" {
#endif

// cdef begin
typedef struct tinyol_board tinyol_board;

/* NULL if the model is refused. boot_id: not 0, different at every boot. max_message: the most
   bytes that both links carry, 136 to 512. */
tinyol_board* tinyol_board_new(const uint8_t* model_image, uint32_t length, uint32_t boot_id,
                               uint32_t max_message, tinyol_refusal* refusal);
/* A board without a model: it refuses what needs one. */
tinyol_board* tinyol_board_new_unloaded(uint32_t boot_id, uint32_t max_message,
                                        tinyol_refusal* refusal);
void tinyol_board_free(tinyol_board* board);

/* What a board of the sim: transport does not have; before the first message. */
void tinyol_board_give_sensor(tinyol_board* board, float rate_hz);
void tinyol_board_give_led(tinyol_board* board);
/* What it says that it is, at most 15 bytes, and which kernels run its frozen net (capability bits
   0 and 1). */
void tinyol_board_be(tinyol_board* board, const char* kind, uint32_t kernels);
/* 32 bytes from the host's own generator; without them PAIR and CHALLENGE are refused. */
void tinyol_board_give_random(tinyol_board* board, const uint8_t* seed);
/* 0: who speaks over the link does not touch the board, as over the radio. It is 1 at first, but 0
   of a link that is a GATT service. */
void tinyol_board_set_physical(tinyol_board* board, int link, int physical);
/* As at boot: the board takes over what it finds saved there, and saves there from now on. Before
   the first message; the flash must outlive the board. The last two pages hold the board's name,
   the two before them its key, the others what was learned; without a flash name and key live as
   long as the board. Status
   kNotFound: nothing was saved yet, which is no harm; another one: what was saved, or the flash
   itself, is of no use to it. */
int tinyol_board_attach_flash(tinyol_board* board, tinyol_flash* flash, tinyol_refusal* refusal);

/* One message from link 0 or 1. */
void tinyol_board_receive(tinyol_board* board, int link, const uint8_t* message, uint32_t length,
                          uint32_t now_ms);
/* The next message that the device has sent on a link: its length, 0 if there is none. `out` has
   room for 512 bytes. */
uint32_t tinyol_board_take(tinyol_board* board, int link, uint8_t* out);
/* Samples from the board's own sensor; gap: the first does not follow the last one. */
void tinyol_board_sense(tinyol_board* board, const float* samples, uint32_t n, int gap);
/* What HARDWARE tells; sensor: tinyol/hardware.h. */
void tinyol_board_set_hardware(tinyol_board* board, uint8_t sensor, uint32_t dropped_samples,
                               uint32_t arena_used, uint32_t arena_bytes);
/* A condition that stands in slot 0 to 3 until its text is ""; level: 1 information, 2 warning,
   3 error. */
void tinyol_board_set_condition(tinyol_board* board, int slot, uint8_t level, const char* text);
/* 1 while LOCATE has the board's LED blink. */
int tinyol_board_locating(const tinyol_board* board, uint32_t now_ms);
void tinyol_board_tick(tinyol_board* board, uint32_t now_ms);
void tinyol_board_drop(tinyol_board* board, int link);

/* Bluetooth, without its radio: a link as a GATT service (tinyol/gatt_link.h). Characteristics are
   numbered as there: 0 control, 1 events, 2 bulk. Until the first call a link carries messages. */
void tinyol_board_gatt_open(tinyol_board* board, int link, uint32_t max_notification);
void tinyol_board_gatt_close(tinyol_board* board, int link);
/* A value that the peer wrote. */
void tinyol_board_gatt_write(tinyol_board* board, int link, int characteristic,
                             const uint8_t* value, uint32_t length, uint32_t now_ms);
/* The next notification: its length, 0 if there is none. `out` has room for 512 bytes. */
uint32_t tinyol_board_gatt_take(tinyol_board* board, int link, uint8_t* characteristic,
                                uint8_t* out);
/* The value of the info characteristic, to `out` with room for 512 bytes; returns its length. */
uint32_t tinyol_board_gatt_info(const tinyol_board* board, int link, uint8_t* out);

uint32_t tinyol_board_max_image_bytes(const tinyol_board* board);
uint32_t tinyol_board_export(const tinyol_board* board, uint8_t* out, uint32_t capacity);
int tinyol_board_import(tinyol_board* board, const uint8_t* image, uint32_t length,
                        tinyol_refusal* refusal);

/* expected and found CRC-32 of the learning script. */
void tinyol_self_test(uint32_t* expected, uint32_t* found);
/* One serial frame; `frame` has room for 524 bytes. Returns its length. */
uint32_t tinyol_encode_frame(const uint8_t* message, uint32_t length, uint8_t* frame);
// cdef end

#ifdef __cplusplus
}
#endif
