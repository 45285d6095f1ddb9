// Assertions on what the core answers.
#pragma once

#include <unity.h>

#include "tinyol/status.h"

// expected: a name from tinyol::Status, such as kOk.
#define ASSERT_STATUS(expected, call)                                       \
  TEST_ASSERT_EQUAL_INT_MESSAGE(static_cast<int>(tinyol::Status::expected), \
                                static_cast<int>(call), #expected " from " #call)
// ... and what it names as the cause.
#define ASSERT_REFUSED(expected, what, refusal)      \
  do {                                               \
    ASSERT_STATUS(expected, (refusal).status);       \
    TEST_ASSERT_EQUAL_STRING(what, (refusal).where); \
  } while (false)
