// Radiomics and N4 in a program in C++: c++ host.cpp -I ../include -L TARGET/release -lalnm_capi -o host
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include "alnm.h"

template <auto Free> struct Deleter {
    template <class T> void operator()(T *handle) const { Free(handle); }
};
using Image = std::unique_ptr<alnm_image, Deleter<alnm_image_free>>;
using Parameters = std::unique_ptr<alnm_parameters, Deleter<alnm_parameters_free>>;
using Features = std::unique_ptr<alnm_features, Deleter<alnm_features_free>>;

static void check(alnm_status status) {
    if (status != ALNM_STATUS_OK) throw std::runtime_error(alnm_last_error());
}

int main() try {
    // A ball of radius 9 voxels, in tissue whose brightness rises along x.
    const alnm_geometry grid{{32, 32, 24}, {1, 1, 1.5}, {0, 0, 0}, {1, 0, 0, 0, 1, 0, 0, 0, 1}, 3};
    std::vector<float> voxels;
    std::vector<uint8_t> labels;
    for (int z = 0; z < 24; ++z)
        for (int y = 0; y < 32; ++y)
            for (int x = 0; x < 32; ++x) {
                const bool inside = (x - 16) * (x - 16) + (y - 16) * (y - 16) + (z - 12) * (z - 12) < 81;
                voxels.push_back(static_cast<float>((inside ? 200 : 100) + 2 * x + (7 * x + 5 * y + 3 * z) % 11));
                labels.push_back(inside);
            }
    alnm_image *handle = nullptr;
    check(alnm_image_new(&grid, ALNM_VOXEL_TYPE_F32, voxels.data(), &handle));
    const Image image(handle);
    check(alnm_image_new(&grid, ALNM_VOXEL_TYPE_U8, labels.data(), &handle));
    const Image mask(handle);
    check(alnm_n4(image.get(), nullptr, nullptr, 2, &handle));
    const Image corrected(handle);

    alnm_parameters *settings = nullptr;
    check(alnm_parameters_new("{setting: {binWidth: 10}, imageType: {Original: {}, Wavelet: {}}}", &settings));
    const Parameters parameters(settings);
    alnm_features *computed = nullptr;
    check(alnm_extract(corrected.get(), mask.get(), 1, parameters.get(), 2, &computed));
    const Features features(computed);
    for (size_t i = 0; i < alnm_features_count(features.get()); ++i) {
        double value = NAN;
        check(alnm_features_value(features.get(), i, &value));
        std::printf("%s %a\n", alnm_features_name(features.get(), i), value);
    }
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
