/* Features for R by .Call: R CMD SHLIB alnm_r.c with PKG_CPPFLAGS and PKG_LIBS as in alnm.R. */
#include <R.h>
#include <Rinternals.h>

#include "alnm.h"

static void end_image(SEXP pointer) {
    alnm_image_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static void end_parameters(SEXP pointer) {
    alnm_parameters_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

static void end_features(SEXP pointer) {
    alnm_features_free(R_ExternalPtrAddr(pointer));
    R_ClearExternalPtr(pointer);
}

/* R's errors jump, so each handle is owned by R before anything can fail. */
static SEXP owned(void (*end)(SEXP)) {
    SEXP pointer = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    R_RegisterCFinalizerEx(pointer, end, TRUE);
    return pointer;
}

static void check(alnm_status status) {
    if (status != ALNM_STATUS_OK) Rf_error("%s", alnm_last_error());
}

/* An image of doubles, in R's order: x runs fastest. */
static SEXP image_of(SEXP array, SEXP spacing) {
    SEXP size = PROTECT(Rf_coerceVector(Rf_getAttrib(array, R_DimSymbol), INTSXP));
    if (Rf_length(size) != 3 || Rf_length(spacing) != 3 || !Rf_isReal(array) || !Rf_isReal(spacing))
        Rf_error("an image is an array of three dimensions of doubles, its spacing three doubles");
    alnm_geometry grid = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {1, 0, 0, 0, 1, 0, 0, 0, 1}, 3};
    for (int axis = 0; axis < 3; ++axis) {
        grid.size[axis] = (size_t)INTEGER(size)[axis];
        grid.spacing[axis] = REAL(spacing)[axis];
    }
    SEXP pointer = owned(end_image);
    alnm_image *image = NULL;
    check(alnm_image_new(&grid, ALNM_VOXEL_TYPE_F64, REAL(array), &image));
    R_SetExternalPtrAddr(pointer, image);
    UNPROTECT(2);
    return pointer;
}

SEXP alnm_r_extract(SEXP image_array, SEXP mask_array, SEXP spacing, SEXP label, SEXP text) {
    SEXP image = PROTECT(image_of(image_array, spacing));
    SEXP mask = PROTECT(image_of(mask_array, spacing));
    SEXP parameters = owned(end_parameters), features = owned(end_features);
    alnm_parameters *settings = NULL;
    check(alnm_parameters_new(Rf_isNull(text) ? NULL : Rf_translateCharUTF8(Rf_asChar(text)), &settings));
    R_SetExternalPtrAddr(parameters, settings);
    alnm_features *computed = NULL;
    check(alnm_extract(R_ExternalPtrAddr(image), R_ExternalPtrAddr(mask), (uint32_t)Rf_asInteger(label), settings, 0,
                       &computed));
    R_SetExternalPtrAddr(features, computed);

    const size_t count = alnm_features_count(computed);
    SEXP values = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)count));
    SEXP names = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)count));
    for (size_t i = 0; i < count; ++i) {
        check(alnm_features_value(computed, i, &REAL(values)[i]));
        SET_STRING_ELT(names, (R_xlen_t)i, Rf_mkCharCE(alnm_features_name(computed, i), CE_UTF8));
    }
    Rf_setAttrib(values, R_NamesSymbol, names);
    UNPROTECT(6);
    return values;
}
