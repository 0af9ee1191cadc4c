/* Radiomics and N4 for C and C++. Made by cbindgen from the crate alnm-capi; do not edit.
 *
 * Functions that can fail return ALNM_STATUS_OK (0) or the kind of failure, and alnm_last_error() returns the error as
 * text. A handle that a function returns through `out` is freed with its ..._free function. No exception and no panic
 * leaves the library. Several threads may call it at once; a handle may be read by several threads, and may be freed
 * when none of them uses it any more. */

#ifndef ALNM_H
#define ALNM_H

#include <stddef.h>
#include <stdint.h>

/**
 * How a call ended. For every status other than `ALNM_STATUS_OK`, `alnm_last_error` returns the error as text.
 */
typedef enum alnm_status {
  /**
   * The work is done.
   */
  ALNM_STATUS_OK = 0,
  /**
   * An argument is not what it must be, or the work cannot be done on it.
   */
  ALNM_STATUS_FAILED = 1,
  /**
   * A pointer that must not be null is null.
   */
  ALNM_STATUS_NULL_POINTER = 2,
  /**
   * A fault of the library, which ended this call alone; please report it.
   */
  ALNM_STATUS_FAULT = 3,
} alnm_status;

/**
 * The type of the voxels of an array.
 */
typedef enum alnm_voxel_type {
  /**
   * Unsigned integers of 8 bits.
   */
  ALNM_VOXEL_TYPE_U8 = 0,
  /**
   * Signed integers of 8 bits.
   */
  ALNM_VOXEL_TYPE_I8 = 1,
  /**
   * Unsigned integers of 16 bits.
   */
  ALNM_VOXEL_TYPE_U16 = 2,
  /**
   * Signed integers of 16 bits.
   */
  ALNM_VOXEL_TYPE_I16 = 3,
  /**
   * Unsigned integers of 32 bits.
   */
  ALNM_VOXEL_TYPE_U32 = 4,
  /**
   * Signed integers of 32 bits.
   */
  ALNM_VOXEL_TYPE_I32 = 5,
  /**
   * Floating point of 32 bits.
   */
  ALNM_VOXEL_TYPE_F32 = 6,
  /**
   * Floating point of 64 bits.
   */
  ALNM_VOXEL_TYPE_F64 = 7,
} alnm_voxel_type;

/**
 * The features of a region, which are accessed by their index, from 0.
 */
typedef struct alnm_features alnm_features;

/**
 * An image, or a mask: an image whose voxels are labels.
 */
typedef struct alnm_image alnm_image;

/**
 * What an extraction computes, and how.
 */
typedef struct alnm_parameters alnm_parameters;

/**
 * The grid of an image in space, in LPS coordinates as in ITK and DICOM (x to the left, y to the back, z to the head).
 */
typedef struct alnm_geometry {
  /**
   * Voxels along x, y and z; a `dimension` of 2 leaves the last one out.
   */
  size_t size[3];
  /**
   * Distance of the centres of neighbouring voxels along x, y and z, in mm.
   */
  double spacing[3];
  /**
   * The centre of the first voxel, in mm.
   */
  double origin[3];
  /**
   * The direction cosines of the axes, row after row; the columns are the axes.
   */
  double direction[9];
  /**
   * 3, or 2 for a two-dimensional image, for which only the first two sizes, spacings and coordinates and the upper
   * left 2 x 2 part of `direction` are used.
   */
  uint32_t dimension;
} alnm_geometry;

/**
 * The parameters of N4; `alnm_n4_default` fills in ITK's defaults.
 */
typedef struct alnm_n4_options {
  /**
   * The maximum number of iterations on each level; ITK's default is 50.
   */
  uint32_t iterations;
  /**
   * The number of levels, from 1 to 10; ITK's default is 4.
   */
  uint32_t levels;
  /**
   * A level ends when the change of the field is at most this; ITK's default is 0.001.
   */
  double convergence_threshold;
  /**
   * The full width at half maximum of the field's histogram; ITK's default is 0.15.
   */
  double bias_fwhm;
  /**
   * Control points per axis on the first level; ITK's default is 4.
   */
  uint32_t control_points;
  /**
   * The field is found on every n-th voxel and applied to all; 1 takes every voxel.
   */
  uint32_t shrink;
  /**
   * The label of the mask's voxels; 0 takes every voxel that is not 0.
   */
  uint32_t mask_label;
} alnm_n4_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, such as `0.1.0`. The text stays valid as long as the program runs.
 */
const char *alnm_version(void);

/**
 * The error of the last call on this thread that did not return `ALNM_STATUS_OK`, in UTF-8; an empty text if there was
 * none. The text stays valid until the next call of the library on this thread.
 */
const char *alnm_last_error(void);

/**
 * Makes parameters from the text of a PyRadiomics parameter file (YAML or JSON), in UTF-8; a null pointer gives
 * PyRadiomics' defaults.
 *
 * # Safety
 * `parameters` is null or points to a text that ends with a zero byte, `out` points to memory for a pointer.
 */
enum alnm_status alnm_parameters_new(const char *parameters,
                                     struct alnm_parameters **out);

/**
 * Frees parameters; does nothing for a null pointer.
 *
 * # Safety
 * `parameters` is null or a handle of this library that was not freed before.
 */
void alnm_parameters_free(struct alnm_parameters *parameters);

/**
 * Computes the features of the region that `label` marks in the mask, on `threads` threads (0 for as many as the
 * processor has; the values do not depend on them). The handles may be shared by several threads of the caller.
 *
 * Fails where image and mask lie on different grids, the label is absent, the region is too small, or a voxel is not
 * finite.
 *
 * # Safety
 * `image`, `mask` and `parameters` are handles of this library, `out` points to memory for a pointer.
 */
enum alnm_status alnm_extract(const struct alnm_image *image,
                              const struct alnm_image *mask,
                              uint32_t label,
                              const struct alnm_parameters *parameters,
                              uint32_t threads,
                              struct alnm_features **out);

/**
 * How many features there are, 0 for a null pointer.
 *
 * # Safety
 * `features` is null or a handle of this library.
 */
size_t alnm_features_count(const struct alnm_features *features);

/**
 * The name of a feature as in PyRadiomics, such as `original_firstorder_Mean`; null if `index` is not below the number
 * of features. The text stays valid as long as the features do.
 *
 * # Safety
 * `features` is null or a handle of this library.
 */
const char *alnm_features_name(const struct alnm_features *features,
                               size_t index);

/**
 * The value of a feature; NaN where it is undefined.
 *
 * # Safety
 * `features` is a handle of this library, `out` points to memory for a value.
 */
enum alnm_status alnm_features_value(const struct alnm_features *features,
                                     size_t index,
                                     double *out);

/**
 * How many warnings the extraction gave, 0 for a null pointer.
 *
 * # Safety
 * `features` is null or a handle of this library.
 */
size_t alnm_features_warning_count(const struct alnm_features *features);

/**
 * A warning of the extraction; null if `index` is not below the number of warnings. The text stays valid as long as
 * the features do.
 *
 * # Safety
 * `features` is null or a handle of this library.
 */
const char *alnm_features_warning(const struct alnm_features *features,
                                  size_t index);

/**
 * Frees features; does nothing for a null pointer.
 *
 * # Safety
 * `features` is null or a handle of this library that was not freed before.
 */
void alnm_features_free(struct alnm_features *features);

/**
 * Makes an image from an array, which is copied: x runs fastest, then y, then z. `voxel_type` is one of the constants
 * `ALNM_VOXEL_TYPE_...`. A mask is made in the same way; its voxels are whole numbers, and 0 is the background.
 *
 * Fails if the grid is invalid (a size of 0, a spacing that is not above 0, a direction matrix that is not a rotation)
 * and if there is not enough memory.
 *
 * # Safety
 * `geometry` points to a geometry, `voxels` to as many values of the type as it has voxels, `out` to memory for a
 * pointer.
 */
enum alnm_status alnm_image_new(const struct alnm_geometry *geometry,
                                uint32_t voxel_type,
                                const void *voxels,
                                struct alnm_image **out);

/**
 * Reads an image or a mask from a file (NIfTI, NRRD, MetaImage, DICOM) or a folder of DICOM slices. `path` is UTF-8.
 *
 * # Safety
 * `path` points to a text that ends with a zero byte, `out` to memory for a pointer.
 */
enum alnm_status alnm_image_read(const char *path,
                                 struct alnm_image **out);

/**
 * The grid of an image in space.
 *
 * # Safety
 * `image` is a handle of this library, `out` points to memory for a geometry.
 */
enum alnm_status alnm_image_geometry(const struct alnm_image *image, struct alnm_geometry *out);

/**
 * How many voxels an image has, 0 for a null pointer.
 *
 * # Safety
 * `image` is null or a handle of this library.
 */
size_t alnm_image_voxel_count(const struct alnm_image *image);

/**
 * Copies the voxels of an image as 64-bit floating point numbers to the caller's memory, which has room for `count`
 * values; x runs fastest. `count` must be the number that `alnm_image_voxel_count` returns.
 *
 * # Safety
 * `image` is a handle of this library, `out` points to memory for `count` values.
 */
enum alnm_status alnm_image_copy(const struct alnm_image *image,
                                 double *out,
                                 size_t count);

/**
 * Frees an image; does nothing for a null pointer.
 *
 * # Safety
 * `image` is null or a handle of this library that was not freed before.
 */
void alnm_image_free(struct alnm_image *image);

/**
 * Fills in ITK's defaults.
 *
 * # Safety
 * `out` points to memory for the options.
 */
enum alnm_status alnm_n4_default(struct alnm_n4_options *out);

/**
 * Corrects the bias field of an image; the result is an image of 32-bit floating point numbers on the same grid. With
 * a null pointer as `mask` every voxel is used, with a null pointer as `options` ITK's defaults. `threads` is the
 * number of threads, 0 for as many as the processor has; the result does not depend on it.
 *
 * Fails where image and mask lie on different grids, no voxel belongs to the mask, a voxel is not finite, or an option
 * is out of its range.
 *
 * # Safety
 * `image` is a handle of this library, `mask` one or null, `options` points to options or is null, `out` points to
 * memory for a pointer.
 */
enum alnm_status alnm_n4(const struct alnm_image *image,
                         const struct alnm_image *mask,
                         const struct alnm_n4_options *options,
                         uint32_t threads,
                         struct alnm_image **out);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ALNM_H */
