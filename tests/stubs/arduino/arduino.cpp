// Behind the stubs: clock, LED, USB port, watchdog's timer.
#include "Arduino.h"

#include <USB/PluggableUSBSerial.h>
#include <mbed.h>

#include <deque>

#include "stub_board.h"

namespace {

uint64_t now_us = 0;
bool lit[32];
void (*timer)() = nullptr;
bool fatal_error = false;

struct Usb {
  std::deque<uint8_t> to_board;
  std::deque<uint8_t> to_host;
  bool open = false;
  bool stuck = false;
} usb;

template <typename Act>
int reset_by(Act act) {
  try {
    act();
  } catch (const StubReset&) {
    stub_retained[0] = stub_power.RESETREAS;
    stub_retained[1] = stub_power.GPREGRET2;
    return 1;
  }
  return 0;
}

}  // namespace

StubPower stub_power = {};
StubWatchdog stub_watchdog = {};
StubChip stub_chip = {{0x00CD1A2B, 0}};
arduino::USBSerial _SerialUSB;

unsigned long millis() {
  return static_cast<uint32_t>(now_us / 1000);
}
unsigned long micros() {
  return static_cast<uint32_t>(now_us);
}
void delay(unsigned long ms) {
  now_us += uint64_t{1000} * ms;
}
void delayMicroseconds(unsigned int us) {
  now_us += us;
}
void pinMode(uint8_t, PinMode) {}
void digitalWrite(uint8_t pin, PinStatus level) {
  lit[pin] = level == LOW;
}
uintptr_t __get_PSP() {
  static const uint32_t stacked[8] = {0, 0, 0, 0, 0, 0, 0x000123AB, 0};
  return reinterpret_cast<uintptr_t>(stacked);
}
void NVIC_SystemReset() {
  throw StubReset();
}
bool mbed_get_error_in_progress() {
  return fatal_error;
}
void mbed::Ticker::attach(void (*call)(), std::chrono::microseconds) {
  timer = call;
}

namespace arduino {

bool USBSerial::connected() {
  return usb.open;
}
int USBSerial::available() {
  return static_cast<int>(usb.to_board.size());
}
int USBSerial::read() {
  const int byte = usb.to_board.front();
  usb.to_board.pop_front();
  return byte;
}
void USBSerial::send_nb(uint8_t* buffer, uint32_t size, uint32_t* actual, bool) {
  *actual = usb.open && !usb.stuck ? size : 0;
  usb.to_host.insert(usb.to_host.end(), buffer, buffer + *actual);
}

}  // namespace arduino

uint32_t stub_retained[2];

int stub_setup() {
  stub_radio_stop();
  return reset_by(setup);
}

int stub_run(uint32_t ms) {
  const uint64_t end_us = now_us + uint64_t{1000} * ms;
  return reset_by([end_us] {
    while (now_us < end_us) loop();
  });
}

void stub_sleep(uint32_t ms) {
  delay(ms);
}
void stub_clock(uint64_t us) {
  now_us = us;
  stub_sensor_clock();
}
uint64_t stub_now_us() {
  return now_us;
}

void stub_usb_open(int open) {
  usb.open = open != 0;
}
void stub_usb_stuck(int stuck) {
  usb.stuck = stuck != 0;
}
void stub_usb_write(const uint8_t* bytes, uint32_t length) {
  usb.to_board.insert(usb.to_board.end(), bytes, bytes + length);
}
uint32_t stub_usb_read(uint8_t* bytes, uint32_t capacity) {
  uint32_t n = 0;
  for (; n < capacity && !usb.to_host.empty(); ++n) {
    bytes[n] = usb.to_host.front();
    usb.to_host.pop_front();
  }
  return n;
}

int stub_ticks(uint32_t n) {
  return reset_by([n] {
    for (uint32_t i = 0; i < n; ++i) timer();
  });
}

int stub_crash(uint32_t address, int status, int fatal) {
  fatal_error = fatal != 0;
  const mbed_error_ctx error = {status, address};
  return reset_by([&error] { mbed_error_hook(&error); });
}

int stub_led() {
  return (lit[LEDR] ? 1 : 0) | (lit[LEDG] ? 2 : 0) | (lit[LEDB] ? 4 : 0);
}

void stub_retain(const uint32_t retained[2]) {
  stub_power.RESETREAS = retained[0];
  stub_power.GPREGRET2 = retained[1];
}
