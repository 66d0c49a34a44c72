// The scripts of jobs, out of scripts/, as the build compiled them in.
#pragma once

namespace tapir::backends {

extern const char* const kTrlTrain;
extern const char* const kLlamaFactoryJob;

}  // namespace tapir::backends
