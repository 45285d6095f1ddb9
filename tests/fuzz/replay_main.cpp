// Runs a fuzz target over kept inputs, for compilers without libFuzzer: TARGET FILE...
#include <stdint.h>
#include <stdio.h>

#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length);

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    FILE* file = fopen(argv[i], "rb");
    if (file == nullptr) {
      fprintf(stderr, "%s: cannot be read\n", argv[i]);
      return 1;
    }
    std::vector<uint8_t> bytes(1 << 16);
    bytes.resize(fread(bytes.data(), 1, bytes.size(), file));
    bytes.shrink_to_fit();  // so that a byte too far is noticed
    fclose(file);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  printf("%d inputs\n", argc - 1);
  return 0;
}
