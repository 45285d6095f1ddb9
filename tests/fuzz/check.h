// A promise that must hold for every input: stops the program where one is broken, so that the
// fuzzer keeps the input.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_CHECK(promise)                                                 \
  do {                                                                      \
    if (!(promise)) {                                                       \
      fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
      abort();                                                              \
    }                                                                       \
  } while (false)
