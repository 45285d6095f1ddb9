#include "tinyol/access_rules.h"

namespace tinyol {

AccessNeed access_need(Request request) {
  switch (request) {
    case Request::kHello:
    case Request::kPing:
    case Request::kGoodbye:
    case Request::kChallenge:
    case Request::kAuthenticate:
    case Request::kAccess:
      return AccessNeed::kNothing;
    case Request::kInfo:
    case Request::kSettingsList:
    case Request::kClassesList:
    case Request::kMetrics:
    case Request::kAlarms:
    case Request::kStream:
    case Request::kHardware:
    case Request::kCondition:
    case Request::kUnknowns:
    case Request::kWatch:
    case Request::kClassStatus:
      return AccessNeed::kReading;
    case Request::kPair:
    case Request::kFactoryReset:
      return AccessNeed::kPhysical;
    // These too: a name is shown to people, LOCATE hides the alarm's colour, a self-test takes the
    // board's time, and an image that is being read holds up its saves.
    case Request::kNameSet:
    case Request::kLocate:
    case Request::kSelfTest:
    case Request::kImageGet:
    case Request::kImageRead:
    case Request::kSave:
    case Request::kSettingSet:
    case Request::kClassAdd:
    case Request::kClassRename:
    case Request::kClassRemove:
    case Request::kLabel:
    case Request::kLabelBack:
    case Request::kFineTune:
    case Request::kFeedBegin:
    case Request::kFeed:
    case Request::kFeedEnd:
    case Request::kReset:
    case Request::kSessionBegin:
    case Request::kImagePut:
    case Request::kImageWrite:
    case Request::kImageCommit:
    case Request::kRelearn:
    case Request::kClassWeight:
    case Request::kCalibrate:
    case Request::kUnknownName:
    case Request::kAccessSet:
    case Request::kUndo:
      return AccessNeed::kChange;
  }
  return AccessNeed::kNothing;
}

}  // namespace tinyol
