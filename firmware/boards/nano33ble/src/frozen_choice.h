// What runs the frozen net, a choice of the build: -D TINYOL_FROZEN=tflm (the default) or
// -D TINYOL_FROZEN=kernels. It becomes TINYOL_FROZEN_TFLM, 1 or 0.
#pragma once

#define TINYOL_CHOICE_tflm 1
#define TINYOL_CHOICE_kernels 2
#define TINYOL_CHOICE_OF(word) TINYOL_CHOICE_##word
#define TINYOL_CHOICE(word) TINYOL_CHOICE_OF(word)

#ifndef TINYOL_FROZEN
#define TINYOL_FROZEN tflm
#endif

#if TINYOL_CHOICE(TINYOL_FROZEN) == TINYOL_CHOICE_tflm
#define TINYOL_FROZEN_TFLM 1
#elif TINYOL_CHOICE(TINYOL_FROZEN) == TINYOL_CHOICE_kernels
#define TINYOL_FROZEN_TFLM 0
#else
#error "TINYOL_FROZEN must be tflm or kernels"
#endif
