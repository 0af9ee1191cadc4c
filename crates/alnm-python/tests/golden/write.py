"""Write the values that the Rust call computes for the synthetic case of the tests.

cargo build --release -p alnm-benches --bin repeat_extraction
python crates/alnm-python/tests/golden/write.py target/release/repeat_extraction
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from alnm import imaging

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))


def main() -> None:
    from conftest import synthetic

    image, mask = synthetic()
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("image.nrrd", "mask.nrrd")]
        imaging.write(files[0], image)
        imaging.write_mask(files[1], mask)
        command = [sys.argv[1], *files, str(HERE / "params.yaml"), "segment", "0", "1"]
        values = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["values"]
    (HERE / "values.json").write_text(json.dumps(values, indent=0) + "\n")


if __name__ == "__main__":
    main()
