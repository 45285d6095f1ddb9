// What a test sees of the stubs, by ctypes: the other ends of the board's wires.
#pragma once

#include <stdint.h>

extern "C" {

// A firmware from power-up: setup(). The library is loaded afresh for each.
// Returns 0; 1 if it reset itself.
int stub_setup(void);
// Passes of the main loop until `ms` have gone by on the stubs' clock. Returns as above.
int stub_run(uint32_t ms);
// Time goes by, and the main loop does not come round.
void stub_sleep(uint32_t ms);
// The clock's time at power-up, before stub_setup(): the firmware sees 32 bits of it.
void stub_clock(uint64_t us);
uint64_t stub_now_us(void);    // all of them
void stub_sensor_clock(void);  // the sensor begins now

// The host's end of the USB port.
void stub_usb_open(int open);
void stub_usb_stuck(int stuck);  // open, but the host reads nothing
void stub_usb_write(const uint8_t* bytes, uint32_t length);
uint32_t stub_usb_read(uint8_t* bytes, uint32_t capacity);

// The sensor: 0 gone, 1 runs, 2 silent, 3 repeats itself.
void stub_sensor(int state);

// The timer interrupt, without a pass of the main loop. Returns 1 if it reset the board.
int stub_ticks(uint32_t n);

// mbed's fatal error. Returns 1 if the board reset itself.
int stub_crash(uint32_t address, int status, int fatal);

// The generator of noise: 0 noise, another for each `seed`; 1 silent; 2 the same byte again and
// again; 3 one byte of eight is the same; 4 silent after 1,000 bytes; 5 six bytes alike amid noise.
void stub_noise(int kind, uint32_t seed);
uint32_t stub_noise_bytes(void);    // given so far
uint32_t stub_noise_left_as(void);  // bit 0 still running, 1 bias correction still on
// The firmware's own health tests of such bytes. Returns 1 if they may be noise.
int stub_noise_passes(const uint8_t* bytes, uint32_t length);

// Bits 0 red, 1 green, 2 blue: lit.
int stub_led(void);

// What a reset keeps: copied from one firmware into the next before stub_setup().
extern uint32_t stub_retained[2];  // RESETREAS, GPREGRET2
void stub_retain(const uint32_t retained[2]);

// The 64 KB of flash behind the program, which are the test's; without, blank ones of its own.
int stub_instructions_cached(void);
void stub_flash(uint8_t* kept);
// The power ends in the middle of an operation, an erase or a word's write, after so many whole
// ones: stub_run() returns 1. 2^32 - 1: never.
void stub_flash_cut(uint32_t operations);
void stub_flash_fails(int fails);  // its driver does not start

// The central's end of the radio.
void stub_radio_connect(int connected, uint32_t mtu);
void stub_radio_subscribe(const char* uuid);
void stub_radio_write(const char* uuid, const uint8_t* bytes, uint32_t length);
uint32_t stub_radio_read(char* uuid, uint8_t* bytes, uint32_t capacity);  // a notification
void stub_radio_full(int full);  // the controller takes nothing more
uint32_t stub_radio_read_value(const char* uuid, uint8_t* bytes, uint32_t capacity);
const char* stub_radio_name(void);     // as advertised
uint32_t stub_radio_advertised(void);  // how often it was begun
void stub_radio_off(int off);          // it does not start
int stub_radio_connected(void);
int stub_radio_started(void);
void stub_radio_stop(void);  // as a reset does
}
