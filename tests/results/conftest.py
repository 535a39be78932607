import hashlib

import pytest

from deep_em_bench.results import DatasetUsed, MethodUsed, Provenance, Record, Scores, Timing


@pytest.fixture
def make_record():
    """A record that ended ok, by number; keywords replace its fields."""

    def make(number=0, **changes):
        fields = {
            "key": hashlib.sha256(str(number).encode()).hexdigest(),
            "suite": "digits_raw",
            "profile": "quick",
            "label": "kmeans",
            "dataset": DatasetUsed(
                name="digits",
                words={"subset": 0.5, "features": None},
                n=898,
                shape=(1, 8, 8),
                n_classes=10,
                sha256={"digits.csv.gz": "0" * 64},
                licence="CC BY 4.0",
                where="https://archive.ics.uci.edu/dataset/80",
            ),
            "n_clusters": 10,
            "method": MethodUsed(
                name="kmeans",
                preset="default",
                params={"n_init": 10, "tol": 0.1 + 0.2, "max_iter": None},
                n_parameters=640,
            ),
            "seed": number,
            "status": "ok",
            "metrics": Scores(train={"error_rate": 0.2, "ari": -1e-17}, test={"ari": 0.5}),
            "timing": Timing(fit_s=0.25),
            "provenance": Provenance(
                method_version=1, metrics_version="1", versions={"numpy": "2.4.6"}, dirty=False
            ),
            "history": (
                {"iteration": 1, "loss": 0.1, "shares": [0.5, 0.5]},
                {"iteration": 2, "loss": 0.05, "shares": [0.4, 0.6]},
            ),
        }
        return Record(**{**fields, **changes})

    return make
