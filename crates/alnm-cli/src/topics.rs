//! `alnm help TOPIC`: what several commands have in common.

use crate::exit;

/// The text of a topic by its name, in capitals or not.
pub(crate) fn topic(name: &str) -> Option<String> {
    match name.to_ascii_lowercase().as_str() {
        "formats" => Some(FORMATS.to_owned()),
        "exit-codes" => Some(exit::help_table()),
        "columns" => Some(COLUMNS.to_owned()),
        "configuration" => Some(CONFIGURATION.to_owned()),
        _ => None,
    }
}

/// The names, as the help of the program lists them.
pub(crate) const NAMES: &str = "formats, exit-codes, columns, configuration";

const FORMATS: &str = "\
Images and masks; the format of an input is found from its content, that of an output from its suffix:

| format | read | written |
|---|---|---|
| DICOM series and single files (MR, CT, PET and others; classic and enhanced) | yes | a name without a suffix is a folder for MR or CT slices |
| DICOM segmentations and structure sets | as masks | .seg.dcm, .rtstruct.dcm, for the series of --like |
| DICOM parametric maps, pages in colour | maps | .map.dcm, .page.dcm, for the series of --like |
| DICOM reports of measurements (TID 1500) | no | by extract --sr |
| NIfTI-1 and NIfTI-2 | yes | .nii, .nii.gz, .hdr with .img (NIfTI-1) |
| NRRD | yes | .nrrd, .nhdr |
| MetaImage | yes | .mha, .mhd |

`-` is standard input or standard output: of an image (--as says the format of an output: nrrd, nii, nii.gz, mha), of a
table, of a parameter file. Of several inputs one can be `-`. Pipes such as /dev/stdin and <(...) are read too.
Where a command writes what cannot go to standard output, it says so.

Tables are written as CSV, JSON or text. JSON has null for numbers that are not defined.
";

const COLUMNS: &str = "\
Columns of a table of cases, for extract, deep-features and standardise. Capitals do not matter; commas, semicolons and tabs separate.

| column | meaning |
|---|---|
| Image | file or DICOM folder, relative to the folder of the table; needed |
| Mask | file or DICOM folder; needed but with --whole-image |
| Label | label of the region |
| Roi | name of the region, for masks that name their regions |
| Label_channel | component of the mask, from 0 |
| Image_volume, Mask_volume | volume of a file of four dimensions, from 1 |
| Series, Phase | SeriesInstanceUID and number of the phase, from 1, for DICOM images |

Other columns are copied to the output. extract leaves out a row without an image or a mask with a warning; others refuse it.
";

const CONFIGURATION: &str = "\
Defaults of options come from the command line, else from an environment variable, else from the configuration file.

| option | variable | key of the file | values |
|---|---|---|---|
| --threads | ALNM_THREADS | threads | 1 or more |
| --color | ALNM_COLOR, NO_COLOR | color | auto, always, never |

The file is the one that ALNM_CONFIG names, else alnm/config.toml in $XDG_CONFIG_HOME, ~/.config or %APPDATA%:

    threads = 8
    color = \"never\"
";
