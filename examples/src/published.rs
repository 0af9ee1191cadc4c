//! Figures of the published study, printed next to those of a simulated run.

use alnm_study::report::{PublishedCharacteristic, PublishedFigures, PublishedModel};

/// The published study.
pub const PUBLISHED: PublishedFigures = PublishedFigures { table_one: &TABLE_ONE, table_three: &TABLE_THREE };

const fn row(model: &'static str, training: [f64; 7], validation: [f64; 7]) -> PublishedModel {
    PublishedModel { model, training, validation }
}

/// Table 3, best model first.
const TABLE_THREE: [PublishedModel; 10] = [
    row(
        "Integrated",
        [0.972, 0.648, 0.900, 0.982, 0.943, 0.938, 0.054],
        [0.942, 0.581, 0.912, 0.891, 0.901, 0.897, 0.093],
    ),
    row(
        "Clinical+Rad",
        [0.960, 0.341, 0.930, 0.884, 0.906, 0.903, 0.071],
        [0.928, 0.541, 0.895, 0.906, 0.901, 0.895, 0.102],
    ),
    row(
        "Clinical+DL",
        [0.946, 0.479, 0.870, 0.929, 0.901, 0.892, 0.082],
        [0.912, 0.547, 0.860, 0.859, 0.860, 0.852, 0.117],
    ),
    row(
        "Clinical+SII",
        [0.917, 0.588, 0.780, 0.938, 0.863, 0.843, 0.109],
        [0.883, 0.500, 0.807, 0.844, 0.826, 0.814, 0.139],
    ),
    row(
        "Clinical",
        [0.903, 0.499, 0.810, 0.866, 0.840, 0.827, 0.122],
        [0.882, 0.441, 0.842, 0.797, 0.818, 0.814, 0.140],
    ),
    row(
        "Rad+SII",
        [0.891, 0.368, 0.890, 0.732, 0.807, 0.813, 0.132],
        [0.843, 0.589, 0.754, 0.844, 0.802, 0.782, 0.161],
    ),
    row("DL+SII", [0.890, 0.450, 0.840, 0.830, 0.835, 0.828, 0.134], [0.801, 0.357, 0.789, 0.750, 0.769, 0.763, 0.190]),
    row("Rad", [0.871, 0.474, 0.860, 0.768, 0.811, 0.811, 0.145], [0.817, 0.567, 0.789, 0.812, 0.802, 0.789, 0.176]),
    row("DL", [0.856, 0.349, 0.860, 0.688, 0.769, 0.778, 0.156], [0.788, 0.463, 0.684, 0.828, 0.760, 0.729, 0.190]),
    row("SII", [0.731, 0.517, 0.610, 0.759, 0.689, 0.649, 0.209], [0.632, 0.282, 1.000, 0.266, 0.612, 0.708, 0.238]),
];

const fn characteristic(
    variable: &'static str,
    negative: &'static str,
    positive: &'static str,
    p: &'static str,
) -> PublishedCharacteristic {
    PublishedCharacteristic { variable, negative, positive, p }
}

/// Table 1, training cohort.
const TABLE_ONE: [PublishedCharacteristic; 15] = [
    characteristic("age", "50.25 ± 9.63", "45.17 ± 10.64", "<0.0001"),
    characteristic("MTD", "1.974 [1.496; 2.684]", "3.491 [2.560; 4.477]", "<0.0001"),
    characteristic("SAD_ALN", "0.450 [0.346; 0.589]", "1.076 [0.656; 1.880]", "<0.0001"),
    characteristic("PR", "28 / 84", "28 / 72", "0.621"),
    characteristic("ER", "30 / 82", "28 / 72", "0.843"),
    characteristic("HER2", "67 / 45", "65 / 35", "0.437"),
    characteristic("Ki-67", "20 / 92", "13 / 87", "0.330"),
    characteristic("subtype", "3 / 10 / 94 / 5", "2 / 7 / 87 / 4", "0.936"),
    characteristic("NLR", "1.63 [1.06; 2.19]", "2.27 [1.58; 3.22]", "<0.0001"),
    characteristic("PLR", "123.31 [103.61; 154.00]", "145.82 [121.75; 196.39]", "<0.0001"),
    characteristic("MLR", "0.17 [0.12; 0.25]", "0.24 [0.15; 0.32]", "<0.0001"),
    characteristic("WLR", "2.95 [2.38; 3.43]", "3.66 [2.83; 4.62]", "<0.0001"),
    characteristic("SII", "392.5 [256.5; 559.5]", "600.5 [413.0; 761.0]", "<0.0001"),
    characteristic("RadScore", "-1.14 [-2.44; -0.11]", "1.01 [0.16; 2.09]", "<0.0001"),
    characteristic("DLScore", "-0.96 [-1.66; -0.17]", "0.73 [-0.17; 1.35]", "<0.0001"),
];
