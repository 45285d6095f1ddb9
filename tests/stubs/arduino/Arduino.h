// Stub of the Arduino core for a Nano 33 BLE: as much of its public API as our firmware uses, so
// that the firmware is compiled, and its glue run, on any machine. arduino.cpp has what happens.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum PinStatus { LOW = 0, HIGH = 1 };
enum PinMode { INPUT = 0, OUTPUT = 1 };
constexpr uint8_t LEDR = 22;
constexpr uint8_t LEDG = 23;
constexpr uint8_t LEDB = 24;

unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);
void delayMicroseconds(unsigned int us);
void pinMode(uint8_t pin, PinMode mode);
void digitalWrite(uint8_t pin, PinStatus level);

// Registers of the nRF52840.
struct StubPower {
  uint32_t RESETREAS;
  uint32_t GPREGRET2;
};
struct StubWatchdog {
  uint32_t TASKS_START;
  uint32_t RUNSTATUS;
  uint32_t CONFIG;
  uint32_t CRV;
  uint32_t RREN;
  uint32_t RR[8];
};
// Registers of the generator of noise where writing or reading does something (noise.cpp).
struct StubNoiseTask {
  bool starts;
  void operator=(uint32_t);
};
struct StubNoiseEvent {
  void operator=(uint32_t);
  operator uint32_t();
};
struct StubRandom {
  StubNoiseTask TASKS_START;
  StubNoiseTask TASKS_STOP;
  StubNoiseEvent EVENTS_VALRDY;
  uint32_t CONFIG;
  uint32_t VALUE;
};
struct StubFlashController {
  uint32_t ICACHECNF;
};
struct StubChip {
  uint32_t DEVICEADDR[2];
};
extern StubPower stub_power;
extern StubWatchdog stub_watchdog;
extern StubRandom stub_random;
extern StubFlashController stub_flash_controller;
extern StubChip stub_chip;
#define NRF_POWER (&stub_power)
#define NRF_WDT (&stub_watchdog)
#define NRF_RNG (&stub_random)
#define NRF_NVMC (&stub_flash_controller)
#define NRF_FICR (&stub_chip)
constexpr uint32_t POWER_RESETREAS_DOG_Msk = 1u << 1;
constexpr uint32_t POWER_RESETREAS_LOCKUP_Msk = 1u << 3;
constexpr uint32_t WDT_CONFIG_SLEEP_Msk = 1u;
constexpr uint32_t RNG_CONFIG_DERCEN_Msk = 1u;
constexpr uint32_t NVMC_ICACHECNF_CACHEEN_Msk = 1u;

uintptr_t __get_PSP();
[[noreturn]] void NVIC_SystemReset();  // throws StubReset
struct StubReset {};

void setup();
void loop();
