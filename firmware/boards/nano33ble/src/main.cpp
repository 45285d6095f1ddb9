// TinyOL on an Arduino Nano 33 BLE Sense. What it does is in board.cpp.
#include <Arduino.h>

#include "board.h"

namespace {

tinyol::nano33ble::Board board;

}  // namespace

void setup() {
  board.begin();
}

void loop() {
  board.pass();
}
