"""Carry records of schema 1 over to schema 2, once: python migrate_records.py FOLDER...

- profile and sae10 recipe "paper" become "full"; the key is computed anew where that changes it;
- what nobody wrote down (data digest, CPU seconds, load, package, seeded) stays unknown;
- the digest of a syntax tree becomes a version: today's, where the digest is the last one of the
  code, or one of SAME, whose records were run again and came out equal; else null, unknown;
- arrays are renamed to <key>.<digest>.npz.
"""
import dataclasses
import json
import sys
from pathlib import Path

from deep_em_bench import methods
from deep_em_bench.benchmarks.plan import Selection, plan
from deep_em_bench.benchmarks.suite import PROFILES, Suite, suite_files
from deep_em_bench.results import Record, replace

LAST = {  # core.code.code_digest of each method at commit 53a8c87
    "dec": "91626bab", "gan_em": "61b71520", "ganmm": "c10d8ff3", "ganmm_em": "7c38cafd",
    "gm_gan": "fb2093cd", "gmm": "12b23e6d", "imsat": "d8ebc59c", "kmeans": "adad0a64",
    "label_spreading": "a2b03b62", "logistic_regression": "a2b03b62", "pca_kmeans": "a571baab",
    "responsibility_gan": "149a00e9", "self_training": "a2b03b62", "tsne_kmeans": "4ce7bc2a",
    "vanilla_gan": "c8432199",
}
SAME: dict[str, set[str]] = json.loads(Path(__file__).with_name("same.json").read_text())


def new_keys(folder: Path, seeds: tuple[int, ...]) -> dict[str, str]:
    """Of the cells of the suite of that name whose key the new words change, by the old key."""
    if folder.name not in suite_files():
        return {}
    keys = {}
    for profile in PROFILES:
        for cell in plan(Suite.find(folder.name), profile, Selection(seeds=seeds)):
            words = {k: "paper" if (k, v) == ("recipe", "full") else v for k, v in cell.dataset.words.items()}
            was = dataclasses.replace(
                cell,
                profile=cell.profile.replace("full", "paper"),
                dataset=dataclasses.replace(cell.dataset, words=words),
            )
            keys[was.key] = cell.key
    return keys


def migrated(data: dict, keys: dict[str, str]) -> Record:
    name, made = data["method"]["name"], data["provenance"].pop("code")[:8]
    data["schema"] = 2
    data["profile"] = data["profile"].replace("paper", "full")
    words = data["dataset"]["words"]
    if "recipe" in words:
        words["recipe"] = words["recipe"].replace("paper", "full")
    if made == LAST[name] or made in SAME.get(name, ()):
        data["provenance"]["method_version"] = 1
    if data["key"] not in keys:
        print(f"no cell of its suite: {data['suite']} {data['profile']} {data['label']}")
    data["key"] = keys.get(data["key"], data["key"])
    return Record.from_json(json.dumps(data).encode())


for folder in map(Path, sys.argv[1:]):
    old = {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    old = {path: data for path, data in old.items() if data.get("schema") == 1}
    keys = new_keys(folder, tuple(sorted({data["seed"] for data in old.values()}))) if old else {}
    for path, data in old.items():
        record = migrated(data, keys)
        artifacts = {}
        for name, digest in record.artifacts.items():
            artifacts[f"{record.key}.{digest[:12]}.npz"] = digest
            if (folder / name).exists():
                (folder / name).rename(folder / next(iter(artifacts)))
        text = replace(record, artifacts=artifacts).to_json()
        (folder / f"{record.key}.json").write_bytes(text)
        if record.key != path.stem:
            path.unlink()
