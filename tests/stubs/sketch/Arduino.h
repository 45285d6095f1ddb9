// Stub of what a sketch knows of a board: a clock, Serial, an analogue pin and an accelerometer.
// All input comes from standard input, a line at a time (sketch.cpp); Serial prints to standard
// output.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

constexpr uint8_t A0 = 14;

unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);
int analogRead(uint8_t pin);

class StubSerial {
 public:
  void begin(unsigned long baud);
  explicit operator bool() const { return true; }
  int available();
  int read();  // -1 = nothing there
  size_t print(const char* text);
  size_t print(int value);
  size_t print(unsigned int value);
  size_t print(unsigned long value);
  size_t print(double value, int digits = 2);
  size_t println();
  template <typename T>
  size_t println(T value) {
    return print(value) + println();
  }
};
extern StubSerial Serial;

void setup();
void loop();
