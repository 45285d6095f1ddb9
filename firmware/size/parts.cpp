// One object a part, as large as the part: what size.py reads off the compiler's output.
#include "frozen/blob_net.h"
#include "tinyol.h"
#include "tinyol/board_region.h"
#include "tinyol/device_key.h"
#include "tinyol/random_pool.h"

#define TINYOL_PART(name, type)          \
  extern char part_##name[sizeof(type)]; \
  char part_##name[sizeof(type)]

TINYOL_PART(running_stats, tinyol::RunningStats);
TINYOL_PART(softmax_head, tinyol::SoftmaxHead);
TINYOL_PART(rehearsal_buffer, tinyol::RehearsalBuffer);
TINYOL_PART(gaussian_head, tinyol::GaussianHead);
TINYOL_PART(classifier, tinyol::Classifier);
TINYOL_PART(anomaly_detector, tinyol::AnomalyDetector);
TINYOL_PART(drift_monitor, tinyol::DriftMonitor);
TINYOL_PART(unknown_events, tinyol::UnknownEvents);
TINYOL_PART(reconstruction_head, tinyol::ReconstructionHead);
TINYOL_PART(least_squares, tinyol::RecursiveLeastSquares);
TINYOL_PART(window_rehearsal, tinyol::WindowRehearsal);
TINYOL_PART(metrics, tinyol::Metrics);
TINYOL_PART(class_table, tinyol::ClassTable);
TINYOL_PART(settings, tinyol::Settings);
TINYOL_PART(counters, tinyol::Counters);
TINYOL_PART(feature_ring, tinyol::FeatureRing);
TINYOL_PART(learner, tinyol::Learner);
TINYOL_PART(windower, tinyol::Windower);
TINYOL_PART(window, tinyol::Window);
TINYOL_PART(model, tinyol::Model);
TINYOL_PART(device, tinyol::Device);
TINYOL_PART(blob_net, tinyol::frozen::BlobNet);
TINYOL_PART(server, tinyol::Server);
TINYOL_PART(frame_parser, tinyol::FrameParser);
TINYOL_PART(gatt_link, tinyol::GattLink);
TINYOL_PART(state_store, tinyol::StateStore);
TINYOL_PART(board_region, tinyol::BoardRegion);
TINYOL_PART(board_name, tinyol::BoardName);
TINYOL_PART(device_key, tinyol::DeviceKey);
TINYOL_PART(random_pool, tinyol::RandomPool);
TINYOL_PART(image_room, uint8_t[tinyol::kStateImageRoom]);
