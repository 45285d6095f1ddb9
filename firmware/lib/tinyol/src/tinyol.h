// TinyOL in one include: what is meant for use, from the whole to its parts. The headers that are
// not named here are what these are made of.
#pragma once

#include <limits.h>

#if INT_MAX < 0x7FFFFFFF
#error "TinyOL needs a 32-bit processor, such as a Cortex-M, an ESP32 or a RISC-V"
#endif

// A device that goes on learning behind a frozen net: samples, labels and commands go into Device,
// predictions come out. Model describes windows, features and limits: parsed from the image that
// `tinyol model export` writes, or filled in by hand (examples/own_net). FrozenNet is the net: your
// own, or the library TinyOL_Frozen's for what came from a .tflite.
#include "tinyol/device.h"
#include "tinyol/frozen_net.h"
#include "tinyol/model.h"

// What it has learned, as bytes, and kept in flash through power cuts (examples/keep_learned).
#include "tinyol/autosave.h"
#include "tinyol/board_name.h"
#include "tinyol/flash.h"
#include "tinyol/part_flash.h"
#include "tinyol/restore.h"
#include "tinyol/state_image.h"
#include "tinyol/state_store.h"

// The parts, each of use alone, on features of your own (examples/never_forget, softmax_only):
// heads, what says that something is not normal or has moved, rules for a layer of your own.
#include "tinyol/anomaly_detector.h"
#include "tinyol/class_table.h"
#include "tinyol/classifier.h"
#include "tinyol/drift_monitor.h"
#include "tinyol/gaussian_head.h"
#include "tinyol/metrics.h"
#include "tinyol/p2_quantile.h"
#include "tinyol/reconstruction_head.h"
#include "tinyol/recursive_least_squares.h"
#include "tinyol/rehearsal_buffer.h"
#include "tinyol/running_stats.h"
#include "tinyol/settings.h"
#include "tinyol/sgd.h"
#include "tinyol/softmax_head.h"
#include "tinyol/unknown_events.h"
#include "tinyol/window_rehearsal.h"
#include "tinyol/windower.h"

// A link to a computer, where `tinyol` drives the device (docs/wire-protocol.md): the server, its
// frames on a serial line, its values over Bluetooth.
#include "tinyol/gatt_link.h"
#include "tinyol/serial_framing.h"
#include "tinyol/server.h"

// Whether this build computes what every other does.
#include "tinyol/net_self_test.h"
#include "tinyol/self_test.h"
