"""Features computed by several processes at once, and what a process imports for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT_OF_PROJECT = Path(__file__).parents[2]


def test_two_processes_at_once_end_with_one_file(tmp_path: Path) -> None:
    program = (
        "import hashlib, os, sys, time\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from deep_em_bench import datasets\n"
        "from deep_em_bench.datasets.embedding import register_embedding\n"
        "folder = Path(sys.argv[1])\n"
        "@register_embedding('mine', recipes=('quick',), version=1)\n"
        "def mine(points, recipe, seed, device, report):\n"
        "    (folder / f'{os.getpid()}.here').touch()\n"
        "    while len(list(folder.glob('*.here'))) < 2:\n"
        "        time.sleep(0.01)\n"
        "    X = np.full((len(points[0]), 2), os.getpid(), dtype=np.float32)\n"
        "    if sys.argv[2] == 'slow':\n"
        "        while not list(folder.glob('root/features/*.npz')):\n"
        "            time.sleep(0.01)\n"
        "    return X, None\n"
        "data = datasets.load('iris', features='mine', data_dir=folder / 'root')\n"
        "print(data.X[0, 0], *data.source.sha256.values())\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), pace],
            cwd=ROOT_OF_PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for pace in ("fast", "slow")
    ]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    # The slower one goes by the file that was there first, so that both speak of the same data.
    assert said[0] == said[1]
    kept = [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
    assert [path.suffix for path in kept] == [".npz"]


def test_raw_points_need_no_torch() -> None:
    program = (
        "import sys\n"
        "from deep_em_bench import datasets\n"
        "datasets.load('iris')\n"
        "try:\n"
        "    datasets.load('iris', features='sae')\n"
        "except Exception as error:\n"
        "    print(error)\n"
        "print('torch' in sys.modules)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT_OF_PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said == ["unknown features 'sae'; did you mean 'sae10'? Known: raw, sae10", "False"]
