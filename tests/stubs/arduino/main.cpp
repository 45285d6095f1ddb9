// For `pio run -e native -t exec`: ten seconds of a board with nobody at the other end.
#ifdef PLATFORMIO
#include <stdio.h>

#include "stub_board.h"

int main() {
  const int reset = stub_setup() != 0 || stub_run(10000) != 0;
  printf("%s: ten seconds, %s\n", stub_radio_name(), reset ? "it reset itself" : "well");
  return reset;
}
#endif
