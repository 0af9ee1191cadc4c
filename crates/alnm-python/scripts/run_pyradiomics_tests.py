"""Run PyRadiomics' own tests, unchanged, against this package.

    python scripts/run_pyradiomics_tests.py CHECKOUT [ARGUMENT OF PYTEST ...]

CHECKOUT is a checkout of PyRadiomics at any of its tags, or its unpacked source distribution. The tests are run as they
are; the folder `radiomics` beside them is kept out of the way, and `import radiomics` finds this package. Needed beside
this package: pytest, SimpleITK, six, pykwalify, and for 3.0.1 parameterized, which it knows by its old name
nose_parameterized.

The tests look for images in `pyradiomics/data` in the folder for temporary files; the script makes such a folder for
them and puts the files of CHECKOUT/data there. Two kinds of files are in no checkout:

- masks of one slice (brain1_label_2D.nrrd and so on) are made from the whole masks: they are the slice with the
  most voxels, and the tests check their hashes;
- the images of the wavelet tests (test_wavelet_64x64x64, test_wavelet_37x37x37): their test file cannot be collected
  without them; it is left out, and the script says so.
"""

import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

WAVELET_CASES = ("test_wavelet_64x64x64", "test_wavelet_37x37x37")


def make_mask_of_one_slice(whole: Path, target: Path) -> None:
    """Write the slice of a mask that has the most voxels."""
    import SimpleITK

    mask = SimpleITK.ReadImage(str(whole))
    voxels = SimpleITK.GetArrayViewFromImage(mask).astype(bool).sum(axis=(1, 2))
    largest = int(voxels.argmax())
    SimpleITK.WriteImage(mask[:, :, largest : largest + 1], str(target))


def main() -> int:
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "tests").is_dir():
        print(__doc__)
        return 2
    checkout = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "pyradiomics" / "data"
        data.mkdir(parents=True)
        for path in (checkout / "data").glob("*.nrrd"):
            (data / path.name).symlink_to(path)
        for whole in (checkout / "data").glob("*_label.nrrd"):
            target = data / whole.name.replace("_label", "_label_2D")
            if not target.exists():
                make_mask_of_one_slice(whole, target)
        # The tests write tables beside their baselines.
        tests = Path(folder) / "checkout"
        for part in ("tests", "data/baseline", "examples/exampleSettings"):
            if (checkout / part).is_dir():
                shutil.copytree(checkout / part, tests / part)
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = None
        os.chdir(tests)
        sys.path.insert(0, str(tests / "tests"))

        from alnm.radiomics import install_as_radiomics

        install_as_radiomics()
        import pytest

        with contextlib.suppress(ImportError):
            sys.modules["nose_parameterized"] = importlib.import_module("parameterized")
        arguments = ["-q", "-ra", "-p", "no:cacheprovider", "tests", *sys.argv[2:]]
        missing = [case for case in WAVELET_CASES if not (data / f"{case}_image.nrrd").is_file()]
        if missing:
            print(
                "left out: tests/test_wavelet.py, since these images are not in "
                f"{checkout / 'data'}: {', '.join(missing)}"
            )
            arguments.append("--ignore=tests/test_wavelet.py")
        return int(pytest.main(arguments))


if __name__ == "__main__":
    sys.exit(main())
