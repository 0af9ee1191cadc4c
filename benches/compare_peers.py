"""What features of the same name are in other tools: all tools on one made region of 233 voxels, bin width 25.

Each tool is run in an environment of its own that holds it, and writes its values under PyRadiomics' names:

    pyradiomics/bin/python benches/compare_peers.py pyradiomics > pyradiomics.csv         # as in compare_pyradiomics.py
    flash/bin/python benches/compare_peers.py flash-radiomics > flash-radiomics.csv       # pip install flash-radiomics==1.0.0 numpy h5py SimpleITK pykwalify PyWavelets scipy scikit-image scikit-learn trimesh
    numpyradiomics/bin/python benches/compare_peers.py numpyradiomics > numpyradiomics.csv  # pip install numpyradiomics==0.0.5
    mirp/bin/python benches/compare_peers.py mirp > mirp.csv                              # pip install mirp==2.7.0
    nyxus/bin/python benches/compare_peers.py nyxus > nyxus.csv                           # pip install nyxus==0.11.0
    zrad/bin/python benches/compare_peers.py z-rad > z-rad.csv                            # pip install z-rad==26.9.0
    pysera/bin/python benches/compare_peers.py pysera > pysera.csv                        # pip install pysera==2.1.5
    python3 benches/compare_peers.py table pyradiomics.csv *.csv

The last line prints, for each tool, the features whose value differs from the first file's by more than 1 in 10,000."""
import contextlib
import csv
import io
import pathlib
import struct
import sys
import tempfile

SPACING = (0.8, 1.1, 2.5)
BIN_WIDTH = 25
LIMIT = 1e-4

# Names in the manner of the Image Biomarker Standardisation Initiative, by PyRadiomics' names.
IBSI = {
    "shape": {
        "MeshVolume": "morph_volume", "VoxelVolume": "morph_vol_approx", "SurfaceArea": "morph_area_mesh", "SurfaceVolumeRatio": "morph_av",
        "Sphericity": "morph_sphericity", "Maximum3DDiameter": "morph_diam", "MajorAxisLength": "morph_pca_maj_axis",
        "MinorAxisLength": "morph_pca_min_axis", "LeastAxisLength": "morph_pca_least_axis", "Elongation": "morph_pca_elongation",
        "Flatness": "morph_pca_flatness"},
    "firstorder": {
        "Mean": "stat_mean", "Variance": "stat_var", "Skewness": "stat_skew", "Kurtosis": "stat_kurt", "Median": "stat_median",
        "10Percentile": "stat_p10", "90Percentile": "stat_p90", "InterquartileRange": "stat_iqr", "MeanAbsoluteDeviation": "stat_mad",
        "RobustMeanAbsoluteDeviation": "stat_rmad", "Energy": "stat_energy", "RootMeanSquared": "stat_rms", "Entropy": "ih_entropy",
        "Uniformity": "ih_uniformity"},
    "glcm": {
        "MaximumProbability": "joint_max", "JointAverage": "joint_avg", "SumSquares": "joint_var", "JointEntropy": "joint_entr",
        "DifferenceAverage": "diff_avg", "DifferenceVariance": "diff_var", "DifferenceEntropy": "diff_entr", "SumAverage": "sum_avg",
        "SumEntropy": "sum_entr", "JointEnergy": "energy", "Contrast": "contrast", "Id": "inv_diff", "Idn": "inv_diff_norm",
        "Idm": "inv_diff_mom", "Idmn": "inv_diff_mom_norm", "InverseVariance": "inv_var", "Correlation": "corr",
        "Autocorrelation": "auto_corr", "ClusterTendency": "clust_tend", "ClusterShade": "clust_shade",
        "ClusterProminence": "clust_prom", "Imc1": "info_corr1", "Imc2": "info_corr2"},
    "glrlm": {
        "ShortRunEmphasis": "sre", "LongRunEmphasis": "lre", "LowGrayLevelRunEmphasis": "lgre", "HighGrayLevelRunEmphasis": "hgre",
        "GrayLevelNonUniformity": "glnu", "GrayLevelNonUniformityNormalized": "glnu_norm", "RunLengthNonUniformity": "rlnu",
        "RunLengthNonUniformityNormalized": "rlnu_norm", "RunPercentage": "r_perc", "GrayLevelVariance": "gl_var",
        "RunVariance": "rl_var", "RunEntropy": "rl_entr"},
    "glszm": {
        "SmallAreaEmphasis": "sze", "LargeAreaEmphasis": "lze", "GrayLevelNonUniformity": "glnu", "SizeZoneNonUniformity": "zsnu",
        "ZonePercentage": "z_perc", "GrayLevelVariance": "gl_var", "ZoneVariance": "zs_var", "ZoneEntropy": "zs_entr"},
    "ngtdm": {name: name.lower() for name in ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")},
    "gldm": {
        "SmallDependenceEmphasis": "lde", "LargeDependenceEmphasis": "hde", "GrayLevelNonUniformity": "glnu",
        "DependenceNonUniformity": "dcnu", "GrayLevelVariance": "gl_var", "DependenceVariance": "dc_var", "DependenceEntropy": "dc_entr"},
}


def phantom():
    import numpy as np

    z, y, x = np.mgrid[0:9, 0:11, 0:13]
    image = ((z * z * 31 + y * x * 17 + x * x * 7 + z * x * 3) % 211).astype(np.int16)
    mask = (3 * (z - 4) ** 2 + (y - 5) ** 2 + (x - 6) ** 2 <= 20).astype(np.uint8)
    return image, mask


def simpleitk_images():
    import SimpleITK as sitk

    images = [sitk.GetImageFromArray(array) for array in phantom()]
    for image in images:
        image.SetSpacing(SPACING)
    return images


def nifti(path, array):
    """A NIfTI file of 16-bit integers; written by hand, since not every tool brings a writer."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *array.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, *SPACING, 1, 1, 1, 1)
    struct.pack_into("<ff", header, 108, 352, 1)
    header[123] = 2
    struct.pack_into("<hh", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, -SPACING[0], 0, 0, 0, 0, -SPACING[1], 0, 0, 0, 0, SPACING[2], 0)
    header[344:347] = b"n+1"
    path.write_bytes(bytes(header) + array.astype("<i2").tobytes())
    return str(path)


def nifti_files(folder):
    image, mask = phantom()
    return nifti(folder / "image.nii", image), nifti(folder / "mask.nii", mask)


def without_prefix(found):
    return {name.removeprefix("original_"): float(value) for name, value in found.items() if name.startswith("original_")}


def pyradiomics(_):
    from radiomics import featureextractor

    return without_prefix(featureextractor.RadiomicsFeatureExtractor(binWidth=BIN_WIDTH).execute(*simpleitk_images()))


def flash_radiomics(folder):
    from flash_radiomics import RadiomicsFeatureExtractor

    extractor = RadiomicsFeatureExtractor(backend="cpu", binWidth=BIN_WIDTH, distances=[1])
    return without_prefix(extractor.execute(*simpleitk_images(), label=1, output_hdf5_path=str(folder / "features.h5")))


def numpyradiomics(_):
    import math

    import numpyradiomics as tool

    image, mask = phantom()
    found = {"shape": tool.shape(mask, SPACING[::-1]), "firstorder": tool.firstorder(image, mask, voxelVolume=math.prod(SPACING), binWidth=BIN_WIDTH)}
    for name in ("glcm", "glrlm", "glszm", "gldm", "ngtdm"):
        found[name] = getattr(tool, name)(image, mask, binWidth=BIN_WIDTH)
    return {f"{group}_{name}": float(value) for group, values in found.items() for name, value in values.items()}


def by_ibsi_names(found, prefixes, suffixes):
    """Values under PyRadiomics' names from those under prefix + name + suffix."""
    values = {}
    for group, names in IBSI.items():
        for name, short in names.items():
            key = prefixes.get(group, "") + short + suffixes.get(group, "")
            if key in found:
                values[f"{group}_{name}"] = float(found[key])
    return values


def mirp(folder):
    from mirp import extract_features

    image, mask = nifti_files(folder)
    table = extract_features(image=image, mask=mask, base_discretisation_method="fixed_bin_size", base_discretisation_bin_width=float(BIN_WIDTH), resegmentation_intensity_range=[0.0, 300.0])[0]
    found = {name.removesuffix("_fbs_w25.0"): table[name].iloc[0] for name in table.columns}
    return by_ibsi_names(
        found, {"glcm": "cm_", "glrlm": "rlm_", "glszm": "szm_", "ngtdm": "ngt_", "gldm": "ngl_"},
        {"glcm": "_d1_3d_v_mrg", "glrlm": "_3d_v_mrg", "glszm": "_3d", "ngtdm": "_3d", "gldm": "_d1_a0.0_3d"})


def z_rad(folder):
    from zrad.image import Image
    from zrad.preprocessing import IntensityMaskBuilder, Resegmenter, RoiData, TextureDiscretizer
    from zrad.radiomics import Radiomics

    image, mask = nifti_files(folder)
    image = Image.from_nifti(image)
    roi = RoiData(image=image, morphological_mask=Image.from_nifti_mask(mask, reference=image))
    for step in (IntensityMaskBuilder(), Resegmenter(intensity_range=(0, 300)), TextureDiscretizer(bin_size=BIN_WIDTH)):
        roi = step.apply(roi)
    families = ["morphology", "intensity_statistics", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"]
    found = Radiomics().extract_features(roi_data=roi, families=families)
    return by_ibsi_names(
        found, {"glcm": "cm_", "glrlm": "rlm_", "glszm": "szm_", "ngtdm": "ngt_", "gldm": "ngl_"},
        {"glcm": "_3D_avg", "glrlm": "_3D_avg", "glszm": "_3D", "ngtdm": "_3D", "gldm": "_3D"})


def pysera(folder):
    import pysera as tool

    image, mask = nifti_files(folder)
    out = str(folder / "out")
    result = tool.process_batch(image_input=image, mask_input=mask, output_path=out, enable_parallelism=False, categories="all", dimensions="all", bin_size=BIN_WIDTH, apply_preprocessing=False, report="error")
    table = result["features_extracted"]
    found = {name: table[name].iloc[0] for name in table.columns}
    own = {
        "morph_volume_mesh": "morph_volume", "morph_volume_count": "morph_vol_approx", "morph_surface_area": "morph_area_mesh",
        "morph_sv_ratio": "morph_av", "morph_max_3d_diameter": "morph_diam", "morph_major_axis_length": "morph_pca_maj_axis",
        "morph_minor_axis_length": "morph_pca_min_axis", "morph_least_axis_length": "morph_pca_least_axis",
        "morph_elongation": "morph_pca_elongation", "morph_flatness": "morph_pca_flatness"}
    found |= {ibsi: found[name] for name, ibsi in own.items() if name in found}
    found |= {"glrlm_rl_entr_3D_avg": found["glrlm_rl_entropy_3D_avg"]}
    return by_ibsi_names(
        found, {"glcm": "glcm_", "glrlm": "glrlm_", "glszm": "szm_", "ngtdm": "ngtdm_", "gldm": "ngl_"},
        {"glcm": "_3D_avg", "glrlm": "_3D_avg", "glszm": "_3D", "ngtdm": "_3D", "gldm": "_3D"})


def nyxus(folder):
    from nyxus import Nyxus3D

    names = {
        "firstorder": {"Mean": "3MEAN", "Variance": "3VARIANCE", "Skewness": "3SKEWNESS", "Kurtosis": "3KURTOSIS", "Median": "3MEDIAN", "10Percentile": "3P10", "90Percentile": "3P90", "InterquartileRange": "3INTERQUARTILE_RANGE", "Energy": "3ENERGY", "Entropy": "3ENTROPY", "Uniformity": "3UNIFORMITY", "RootMeanSquared": "3ROOT_MEAN_SQUARED", "RobustMeanAbsoluteDeviation": "3ROBUST_MEAN_ABSOLUTE_DEVIATION"},
        "shape": {"MeshVolume": "3MESH_VOLUME", "VoxelVolume": "3VOXEL_VOLUME", "SurfaceArea": "3AREA", "Sphericity": "3SPHERICITY", "MajorAxisLength": "3MAJOR_AXIS_LEN", "MinorAxisLength": "3MINOR_AXIS_LEN", "LeastAxisLength": "3LEAST_AXIS_LEN", "Elongation": "3ELONGATION", "Flatness": "3FLATNESS"},
        "glcm": {"Contrast": "3GLCM_CONTRAST_AVE", "Correlation": "3GLCM_CORRELATION_AVE", "JointEntropy": "3GLCM_JE_AVE", "Id": "3GLCM_ID_AVE", "Idmn": "3GLCM_IDMN_AVE"},
        "glrlm": {"ShortRunEmphasis": "3GLRLM_SRE_AVE", "RunPercentage": "3GLRLM_RP_AVE", "GrayLevelNonUniformity": "3GLRLM_GLN_AVE"},
        "glszm": {"SmallAreaEmphasis": "3GLSZM_SAE", "ZonePercentage": "3GLSZM_ZP", "ZoneEntropy": "3GLSZM_ZE"},
        "gldm": {"SmallDependenceEmphasis": "3GLDM_SDE", "DependenceEntropy": "3GLDM_DE"},
        "ngtdm": {"Coarseness": "3NGTDM_COARSENESS", "Contrast": "3NGTDM_CONTRAST", "Busyness": "3NGTDM_BUSYNESS"},
    }
    image, mask = nifti_files(folder)
    table = Nyxus3D(["*3D_ALL*"], n_feature_calc_threads=1).featurize_files([image], [mask], False)
    return {f"{group}_{name}": float(table[column][0]) for group, columns in names.items() for name, column in columns.items()}


def read(path):
    """Values of a file; lines that a tool printed of its own accord are passed over."""
    with open(path, newline="") as file:
        rows = [row for row in csv.reader(file) if len(row) == 2 and "_" in row[0]]
    return {name: float(value) for name, value in rows}


def table(reference, *others):
    expected = read(reference)
    for path in others:
        found = {name: value for name, value in read(path).items() if name in expected}
        apart = {name: value for name, value in found.items() if not abs(value - expected[name]) <= LIMIT * max(abs(expected[name]), 1e-9)}
        print(f"\n## {pathlib.Path(path).stem}: {len(found)} features of the same name, {len(apart)} differ")
        for name, value in apart.items():
            print(f"| {name} | {expected[name]:.6g} | {value:.6g} |")


TOOLS = {"pyradiomics": pyradiomics, "flash-radiomics": flash_radiomics, "numpyradiomics": numpyradiomics, "mirp": mirp, "nyxus": nyxus, "z-rad": z_rad, "pysera": pysera}

if __name__ == "__main__":
    if sys.argv[1] == "table":
        table(*sys.argv[2:])
    else:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            values = TOOLS[sys.argv[1]](pathlib.Path(folder))
        csv.writer(sys.stdout, lineterminator="\n").writerows(values.items())
