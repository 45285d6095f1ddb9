// TinyOL's core in one include.
#pragma once

#include "tinyol/device.h"
#include "tinyol/state_image.h"
