//! The command lines whose manners are tested, and the files that they name.

use std::process::Command;
use std::sync::LazyLock;

use alnm_imaging::{Geometry, Image, Volume, write_image, write_mask};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, RiskModel, Variable};
use ndarray::{Array2, Array3};

/// Command lines as a shell takes them, by the command that they are of.
pub(crate) const LINES: &[&str] = &[
    "alnm no-such-command",
    "alnm help exit-codes",
    "alnm help FORMATS | head -n 1",
    "alnm help columns | head -n 1",
    "alnm help configuration | head -n 1",
    "alnm --color sometimes info image.nrrd",
    "alnm info image.nrrd --quiet --verbose",
    "ALNM_CONFIG=text.nii alnm info image.nrrd",
    "ALNM_CONFIG=missing.toml alnm info image.nrrd",
    "ALNM_THREADS=none alnm info image.nrrd",
    // info
    "alnm info",
    "alnm info missing.nrrd",
    "alnm info missing.nrrd --json",
    "alnm info image.nrrd missing.nrrd --headers",
    "alnm info image.nrrd missing.nrrd --headers --quiet",
    "alnm info empty",
    "alnm info text.nii",
    "alnm info mask.nrrd",
    "alnm info image.nrrd --histogram=2",
    "alnm info - --headers < image.nrrd",
    "cat image.nrrd | alnm info /dev/stdin --headers",
    "alnm info - < empty",
    "alnm info image.nrrd | true",
    "alnm info image.nrrd > /dev/full",
    "alnm info --help > /dev/full",
    // convert
    "alnm convert image.nrrd",
    "alnm convert missing.nrrd out.nrrd",
    "alnm convert empty out.nrrd",
    "alnm convert image.nrrd there.nrrd",
    "alnm convert image.nrrd out.bmp",
    "alnm convert image.nrrd none/out.nrrd",
    "alnm convert image.nrrd - | alnm info - --headers",
    "alnm convert image.nrrd - --as nii.gz | alnm info - --headers | head -n 1",
    "alnm convert - - --as mha < image.nrrd | alnm info - --headers | head -n 1",
    "alnm convert image.nrrd - --as bmp",
    "alnm convert image.nrrd - --object seg",
    "alnm convert image.nrrd - | true",
    "alnm convert image.nrrd - > /dev/full",
    "alnm convert - out.nrrd --like - < image.nrrd",
    "alnm convert image.nrrd out.nrrd --one-file",
    "alnm convert image.nrrd out.seg.dcm",
    "alnm convert image.nrrd out.dcm",
    "alnm convert mask.nrrd - --label 1 --quiet | alnm info - | grep label",
    "alnm convert image.nrrd full.nrrd",
    // n4
    "alnm n4 image.nrrd",
    "alnm n4 missing.nrrd out.nrrd",
    "alnm n4 empty out.nrrd",
    "alnm n4 image.nrrd there.nrrd",
    "alnm n4 image.nrrd out.nrrd --iterations 5,x",
    "alnm n4 image.nrrd out.nrrd --label 2",
    "alnm n4 image.nrrd - --bias-field -",
    "alnm n4 - - --iterations 2 < image.nrrd | alnm info - --headers | head -n 1",
    "alnm n4 image.nrrd - --iterations 2 > /dev/full",
    "alnm n4 image.nrrd - --iterations 2 | true",
    "alnm n4 image.nrrd full.nrrd --iterations 2",
    "alnm n4 image.nrrd out.nrrd --bins 0",
    "alnm n4 image.nrrd none/out.nrrd",
    // resample
    "alnm resample image.nrrd out.nrrd",
    "alnm resample missing.nrrd out.nrrd --spacing 1",
    "alnm resample empty out.nrrd --spacing 1",
    "alnm resample image.nrrd there.nrrd --spacing 1",
    "alnm resample image.nrrd out.nrrd --spacing 1,1",
    "alnm resample image.nrrd out.nrrd --spacing 1,a,1",
    "alnm resample image.nrrd out.nrrd --spacing 1 --interpolator cubic",
    "alnm resample image.nrrd out.nrrd --spacing 1 --roi GTV",
    "alnm resample image.nrrd - --spacing 1x1x1mm | alnm info - --headers | grep spacing",
    "alnm resample image.nrrd - --spacing 2 --interpolator sitkLanczosWindowedSinc --quiet | alnm info - --headers | grep spacing",
    "alnm resample image.nrrd - --spacing 1 > /dev/full",
    "alnm resample image.nrrd - --spacing 1 | true",
    "alnm resample image.nrrd full.nrrd --spacing 2",
    // register
    "alnm register image.nrrd",
    "alnm register image.nrrd -o out.nrrd",
    "alnm register missing.nrrd image.nrrd -o out.nrrd",
    "alnm register image.nrrd empty -o out.nrrd",
    "alnm register image.nrrd image.nrrd -o there.nrrd",
    "alnm register image.nrrd image.nrrd -o out.nrrd --report there.csv",
    "alnm register image.nrrd image.nrrd -o out.nrrd --write-transform none/out.tfm",
    "alnm register image.nrrd image.nrrd -o out.nrrd --write-transform -",
    "alnm register image.nrrd image.nrrd -o out.bmp",
    "alnm register image.nrrd image.nrrd -o out.nrrd --transform bspline,rigid",
    "alnm register image.nrrd image.nrrd -o out.nrrd --transform rigid,elastic",
    "alnm register image.nrrd image.nrrd -o out.nrrd --iterations x",
    "alnm register image.nrrd image.nrrd -o out.nrrd --label 1",
    "alnm register image.nrrd image.nrrd -o out.nrrd --lesion mask.nrrd --label 7",
    "alnm register image.nrrd image.nrrd -o out.nrrd --apply empty",
    "alnm register image.nrrd image.nrrd -o out.nrrd --apply - < empty",
    "alnm register - - -o out.nrrd < image.nrrd",
    "alnm register image.nrrd phase.nrrd --onto 3 -o out.nrrd",
    "alnm register image.nrrd --onto 1 -o out.nrrd",
    "alnm register - image.nrrd -o - --transform rigid --iterations 1 --quiet < image.nrrd | alnm info - --headers | head -n 1",
    "alnm register image.nrrd image.nrrd -o - --transform rigid --iterations 1 --quiet > /dev/full",
    "alnm register image.nrrd image.nrrd -o - --transform rigid --iterations 1 --quiet | true",
    "alnm register image.nrrd image.nrrd -o full.nrrd --transform rigid --iterations 1 --quiet",
    // kinetics
    "alnm kinetics image.nrrd phase.nrrd",
    "alnm kinetics image.nrrd phase.nrrd -o out",
    "alnm kinetics missing.nrrd phase.nrrd --times 0,90 -o out",
    "alnm kinetics image.nrrd empty --times 0,90 -o out",
    "alnm kinetics image.nrrd phase.nrrd --times 0,x -o out",
    "alnm kinetics image.nrrd phase.nrrd --times 0,1,2 -o out",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o maps",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o there.csv --force",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o -",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o out --maps speed",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o out --baseline 5",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o out --roi GTV",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o out --mask mask.nrrd --label 7",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o out --t1 fast --repetition-time 5 --flip-angle 12",
    "alnm kinetics image.nrrd phase.nrrd --times 0,90 -o out --t1 1.4 --repetition-time 5 --flip-angle 12 --input-function empty.csv",
    "alnm kinetics image.nrrd --times 0 -o out",
    "alnm register image.nrrd phase.nrrd --onto 1 -o - --transform rigid --iterations 1 --quiet | alnm kinetics - --times 0,90 -o out --maps peak_enhancement --quiet && ls out",
    // regions
    "alnm regions",
    "alnm regions rings mask.nrrd",
    "alnm regions rings mask.nrrd out.nrrd",
    "alnm regions rings missing.nrrd out.nrrd --ring 0:2",
    "alnm regions rings empty out.nrrd --ring 0:2",
    "alnm regions rings mask.nrrd there.nrrd --ring 0:2",
    "alnm regions rings mask.nrrd out.nrrd --ring 0",
    "alnm regions rings mask.nrrd out.nrrd --ring 0:3 --ring 2:5",
    "alnm regions rings mask.nrrd out.nrrd --shells 0:2",
    "alnm regions rings mask.nrrd out.nrrd --ring 0:2 --label 7",
    "alnm regions rings mask.nrrd out.nrrd --ring 0:2 --phase 1",
    "alnm regions rings - - --ring 0:2 < mask.nrrd | alnm info - | grep label",
    "alnm regions rings mask.nrrd - --ring 0:2 --quiet > /dev/full",
    "alnm regions rings mask.nrrd - --ring 0:2 --quiet | true",
    "alnm regions rings mask.nrrd full.nrrd --ring 0:2",
    "alnm regions learn-habitats out.json maps",
    "alnm regions learn-habitats out.json missing --features peak_enhancement",
    "alnm regions learn-habitats out.json maps --features speed",
    "alnm regions learn-habitats there.csv maps --features peak_enhancement",
    "alnm regions learn-habitats out.json maps --features peak_enhancement --order-by speed",
    "alnm regions learn-habitats out.json maps --features peak_enhancement --best 0:3",
    "alnm regions learn-habitats out.json maps --features peak_enhancement --count 0",
    "alnm regions learn-habitats - maps --features peak_enhancement --quiet > /dev/full",
    "alnm regions learn-habitats - maps --features peak_enhancement --quiet | true",
    "alnm regions learn-habitats - maps --features peak_enhancement --quiet | alnm regions habitats - maps - --mask mask.nrrd --quiet | alnm info - --headers | head -n 1",
    "alnm regions habitats missing.json maps out.nrrd",
    "alnm regions habitats empty maps out.nrrd",
    "alnm regions habitats empty maps there.nrrd",
    // standardise
    "alnm standardise",
    "alnm standardise learn nyul",
    "alnm standardise learn nyul out.json",
    "alnm standardise learn fast out.json image.nrrd",
    "alnm standardise learn nyul out.json missing.nrrd",
    "alnm standardise learn nyul out.json empty",
    "alnm standardise learn nyul out.json empty.csv",
    "alnm standardise learn nyul there.csv image.nrrd",
    "alnm standardise learn nyul out.json image.nrrd --percentiles 1,x",
    "alnm standardise learn nyul out.json image.nrrd --percentiles 90,10",
    "alnm standardise learn site out.json --mean 0 --standard-deviation -1",
    "alnm standardise learn nyul - image.nrrd --quiet > /dev/full",
    "alnm standardise learn nyul - image.nrrd --quiet | true",
    "alnm standardise learn nyul - - < semicolons.csv | alnm standardise apply - image.nrrd - --mask mask.nrrd | alnm info - --headers | head -n 2",
    "alnm standardise apply missing.json image.nrrd out.nrrd",
    "alnm standardise apply empty image.nrrd out.nrrd",
    "alnm standardise apply empty image.nrrd there.nrrd",
    "alnm standardise apply empty image.nrrd out.nrrd --roi GTV",
    "alnm standardise learn white-stripe out.json && alnm standardise apply out.json image.nrrd full.nrrd",
    // extract
    "alnm extract",
    "alnm extract image.nrrd",
    "alnm extract image.nrrd missing.nrrd",
    "alnm extract image.nrrd empty",
    "alnm extract missing.csv",
    "alnm extract empty.csv",
    "alnm extract text.csv",
    "alnm extract image.nrrd mask.nrrd -o there.csv",
    "alnm extract image.nrrd mask.nrrd -f csv -o there.csv --append",
    "alnm extract image.nrrd mask.nrrd -s binWidht:10",
    "alnm extract image.nrrd mask.nrrd -s binWidht:10 --keep-going --quiet > table.txt",
    "alnm extract image.nrrd mask.nrrd -p missing.yaml",
    "alnm extract image.nrrd mask.nrrd -l 7 > row.txt",
    "alnm extract image.nrrd mask.nrrd -j 0",
    "alnm extract cases.csv -j 1 > rows.txt",
    "alnm extract cases.csv -j 1 --keep-going > rows.txt",
    "alnm extract cases.csv -j 1 --keep-going --quiet > rows.txt",
    "alnm extract semicolons.csv -f csv | cut -d , -f 1-4 | sed s,/.*/,,g",
    "alnm extract - -f csv < semicolons.csv | cut -d , -f 1-4 | sed s,/.*/,,g",
    "echo 'featureClass: {ngtdm: [Busyness]}' | alnm extract image.nrrd mask.nrrd -p - | grep Busy | cut -d : -f 1",
    "echo 'imageType: {Original: {}, Wavelet: {}}' | alnm extract image.nrrd mask.nrrd -p - > row.txt",
    "alnm extract - - < image.nrrd > row.txt",
    "cat image.nrrd | alnm extract - mask.nrrd --json | grep -c original_",
    "alnm extract image.nrrd mask.nrrd > /dev/full",
    "alnm extract image.nrrd mask.nrrd -o /dev/full",
    "alnm extract image.nrrd mask.nrrd | true",
    // segment, agreement
    "alnm segment image.nrrd",
    "alnm segment missing.nrrd -o out.nrrd --seed 5,5,5 --lower 10",
    "alnm segment empty -o out.nrrd --seed 5,5,5 --lower 10",
    "alnm segment image.nrrd -o there.nrrd --seed 5,5,5 --lower 10",
    "alnm segment image.nrrd -o out.nrrd --seed 5,5 --lower 10",
    "alnm segment image.nrrd -o out.nrrd --lower 10",
    "alnm segment image.nrrd -o out.nrrd --seed 5,5,5",
    "alnm segment image.nrrd -o out.nrrd --seed 500,5,5 --lower 10",
    "alnm segment image.nrrd -o out.nrrd --seeds missing.nrrd --lower 10",
    "alnm segment image.nrrd -o out.nrrd --seeds empty --lower 10",
    "alnm segment image.nrrd -o out.seg.dcm --seed 5,5,5 --lower 10 --iterations 1 --quiet",
    "alnm segment - -o - --seed 5,5,5 --lower 10 --iterations 1 --quiet < image.nrrd | alnm info - --headers | head -n 2",
    "alnm segment image.nrrd -o - --seed 5,5,5 --lower 10 --iterations 1 --quiet > /dev/full",
    "alnm segment image.nrrd -o - --seed 5,5,5 --lower 10 --iterations 1 --quiet | true",
    "alnm segment image.nrrd -o full.nrrd --seed 5,5,5 --lower 10 --iterations 1 --quiet",
    "alnm agreement mask.nrrd",
    "alnm agreement mask.nrrd missing.nrrd",
    "alnm agreement mask.nrrd empty",
    "alnm agreement mask.nrrd mask.nrrd -o there.csv",
    "alnm agreement - mask.nrrd --label 1 < mask.nrrd | tail -n 1",
    "alnm agreement mask.nrrd mask.nrrd --label 1,x",
    "alnm agreement mask.nrrd mask.nrrd --labels 7 --json | head -n 0",
    "alnm agreement mask.nrrd mask.nrrd --consensus staple --consensus-out -",
    "alnm agreement mask.nrrd mask.nrrd --consensus staple --consensus-out there.nrrd",
    "alnm agreement mask.nrrd mask.nrrd --percentile 200",
    "alnm agreement mask.nrrd mask.nrrd > /dev/full",
    "alnm agreement mask.nrrd mask.nrrd | true",
    "alnm agreement mask.nrrd mask.nrrd -o agreement.json && alnm agreement mask.nrrd mask.nrrd --json | cmp - agreement.json",
    // deep-features, grad-cam
    "alnm deep-features image.nrrd mask.nrrd",
    "alnm deep-features image.nrrd mask.nrrd --weights missing.safetensors -o out.csv",
    "alnm deep-features image.nrrd mask.nrrd --weights empty -o out.csv",
    "alnm deep-features image.nrrd mask.nrrd --weights empty -o there.csv",
    "alnm deep-features image.nrrd mask.nrrd --weights empty -o none/out.csv",
    "alnm deep-features image.nrrd --weights empty -o out.csv",
    "alnm deep-features empty.csv --weights empty -o out.csv",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd --weights missing.safetensors",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd --weights empty",
    "alnm grad-cam image.nrrd mask.nrrd there.nrrd --weights empty",
    "alnm grad-cam image.nrrd mask.nrrd out.nrrd --weights missing.safetensors --side 32 --method occlusion --stage layer4",
    // predict, calculator
    "alnm predict model.json",
    "alnm predict missing.json --patient patients.csv",
    "alnm predict empty --patient patients.csv",
    "alnm predict - --patient - < empty",
    "alnm predict empty --patient patients.csv -o there.csv",
    "alnm predict empty --patient patients.csv --format csv --json",
    "alnm predict model.json --patient patients.csv --level 95",
    "alnm calculator missing.json out.html",
    "alnm calculator empty out.html",
    "alnm calculator empty there.csv",
    "alnm calculator model.json",
    "alnm calculator model.json none/out.html",
    // apply, validate
    "alnm apply missing.safetensors image.nrrd mask.nrrd",
    "alnm apply empty image.nrrd mask.nrrd",
    "alnm apply empty image.nrrd mask.nrrd -o there.csv",
    "alnm apply empty image.nrrd",
    "alnm apply empty image.nrrd mask.nrrd --level 2",
    "alnm apply empty image.nrrd mask.nrrd --label 1 --roi GTV",
    "alnm apply empty --describe",
    "alnm validate missing.safetensors cohort",
    "alnm validate empty cohort",
    "alnm validate empty cohort -o there.csv",
    "alnm validate empty cohort --risks there.csv",
    // view
    "alnm view image.nrrd",
    "alnm view missing.nrrd out.png",
    "alnm view empty out.png",
    "alnm view image.nrrd there.png",
    "alnm view image.nrrd out.bmp",
    "alnm view image.nrrd -",
    "alnm view image.nrrd out.png --window 5",
    "alnm view - out.png < image.nrrd",
    "alnm view image.nrrd full.png",
    "alnm view image.nrrd none/out.png",
    "alnm view image.nrrd mask.nrrd out.png --label 7",
    "alnm view image.nrrd missing.nrrd out.png",
    // completions, man
    "alnm completions",
    "alnm completions ksh",
    "alnm completions bash > /dev/full",
    "alnm completions bash | true",
    "alnm man",
    "alnm man -",
    "alnm man out --quiet && alnm man out",
    "alnm man there.csv",
];

/// Commands that wait for input from a pipe that nobody writes to, or compute for hours, and are interrupted.
pub(crate) const WAITING: &[&str] = &[
    "info pipe",
    "info -",
    "convert pipe out.nrrd",
    "n4 pipe out.nrrd",
    "resample pipe out.nrrd --spacing 1",
    "extract pipe mask.nrrd",
    "extract image.nrrd mask.nrrd -p pipe",
    "extract cases.csv -p pipe --out-dir parts",
    "register pipe image.nrrd -o out.nrrd",
    "register image.nrrd image.nrrd -o out.nrrd --apply pipe",
    "kinetics pipe phase.nrrd --times 0,90 -o out",
    "regions rings pipe out.nrrd --ring 0:2",
    "regions learn-habitats out.json waiting --features peak_enhancement",
    "regions habitats pipe maps out.nrrd",
    "standardise learn nyul out.json pipe",
    "standardise apply pipe image.nrrd out.nrrd",
    "segment pipe -o out.nrrd --seed 5,5,5 --lower 10",
    "agreement mask.nrrd pipe",
    "deep-features image.nrrd mask.nrrd --weights pipe -o out.csv",
    "grad-cam image.nrrd mask.nrrd out.nrrd --weights pipe",
    "predict pipe --patient patients.csv",
    "calculator pipe out.html",
    "apply pipe image.nrrd mask.nrrd",
    "validate pipe cohort",
    "view pipe out.png",
    "view image.nrrd pipe out.html",
    "n4 image.nrrd out.nrrd --iterations 1000000 --convergence 1e-30",
    "segment image.nrrd -o out.nrrd --seed 5,5,5 --lower 10 --iterations 1000000000",
];

/// Command lines that write files where no byte of a file can be written; what they need they have made before.
pub(crate) const WRITING: &[&str] = &[
    "convert image.nrrd out.nrrd",
    "convert image.nrrd out.nii.gz",
    "convert image.nrrd out.mhd",
    "convert image.nrrd out",
    "n4 image.nrrd out.nrrd --iterations 2 --bias-field field.nrrd --quiet",
    "resample image.nrrd out.nrrd --spacing 2",
    "register image.nrrd image.nrrd -o out.nrrd --transform rigid --iterations 1 --write-transform out.tfm --quiet",
    "register image.nrrd image.nrrd -o out.nrrd --transform rigid --iterations 1 --report out.json --quiet",
    "kinetics image.nrrd phase.nrrd --times 0,90 -o out --maps peak_enhancement --quiet",
    "regions rings mask.nrrd out.nrrd --ring 0:2",
    "regions learn-habitats out.json maps --features peak_enhancement",
    "standardise learn white-stripe out.json",
    "segment image.nrrd -o out.nrrd --seed 5,5,5 --lower 10 --iterations 1 --quiet",
    "agreement mask.nrrd mask.nrrd -o out.csv",
    "agreement mask.nrrd mask.nrrd --consensus majority --consensus-out out.nrrd -o out.csv",
    "extract image.nrrd mask.nrrd -o out.csv --quiet",
    "extract image.nrrd mask.nrrd -o out.csv --append --quiet",
    "view image.nrrd mask.nrrd out.png",
    "view image.nrrd mask.nrrd out.html",
    "man out",
];

/// A folder with the files that the lines name.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let geometry = Geometry::axis_aligned([12, 10, 8], [1.0, 1.0, 2.0]).unwrap();
    let voxels = Array3::from_shape_fn(geometry.shape(), |(z, y, x)| ((x * 7 + y * 13 + z * 31) % 97) as i16 + 1);
    let image = Volume::new(voxels, geometry.clone()).unwrap();
    let phase = image.map(|voxel| 2 * voxel + voxel % 7);
    write_image(path.join("phase.nrrd"), &Image::I16(phase)).unwrap();
    std::fs::create_dir(path.join("maps")).unwrap();
    let map = image.map(|voxel| f32::from(voxel % 31) / 10.0);
    write_image(path.join("maps/peak_enhancement.nrrd"), &Image::F32(map)).unwrap();
    write_image(path.join("image.nrrd"), &Image::I16(image)).unwrap();
    let inside = |(z, y, x): (usize, usize, usize)| u32::from((2..9).contains(&x) && (2..8).contains(&y) && z > 1);
    let mask = Volume::new(Array3::from_shape_fn(geometry.shape(), inside), geometry).unwrap();
    write_mask(path.join("mask.nrrd"), &mask).unwrap();
    for name in ["empty", "empty.csv"] {
        std::fs::write(path.join(name), "").unwrap();
    }
    std::fs::write(path.join("text.nii"), "no image").unwrap();
    std::fs::write(path.join("text.csv"), "ID,Picture\na,image.nrrd\n").unwrap();
    for name in ["there.nrrd", "there.csv", "there.png"] {
        std::fs::write(path.join(name), "mine").unwrap();
    }
    let cases = "ID,Image,Mask,Label\na,image.nrrd,mask.nrrd,1\nb,image.nrrd,mask.nrrd,7\n";
    std::fs::write(path.join("cases.csv"), cases).unwrap();
    std::fs::write(path.join("semicolons.csv"), "id;image;MASK;Ward\na;image.nrrd;mask.nrrd;7\n").unwrap();
    std::fs::write(path.join("patients.csv"), "age\n50\n").unwrap();
    std::fs::write(path.join("model.json"), &*MODEL).unwrap();
    for name in ["full.png", "full.nrrd"] {
        std::os::unix::fs::symlink("/dev/full", path.join(name)).unwrap();
    }
    std::fs::create_dir(path.join("waiting")).unwrap();
    for name in ["pipe", "waiting/peak_enhancement.nrrd"] {
        assert!(Command::new("mkfifo").arg(path.join(name)).status().unwrap().success());
    }
    folder
}

/// A saved model of one variable.
static MODEL: LazyLock<String> = LazyLock::new(|| {
    let ages = Array2::from_shape_fn((40, 1), |(row, _)| 30.0 + row as f64);
    let labels = Labels::new((0..40).map(|row| row + (row * 17) % 29 > 35).collect());
    let table = FeatureTable::new(vec!["age".into()], ages).unwrap();
    let fitted = LogisticModel::fit(&table, &labels, &LogisticParams::default()).unwrap();
    let model = RiskModel::new("age", &fitted, &[Variable::new("age", "")], &table, "forty rows").unwrap();
    model.to_json().unwrap()
});
