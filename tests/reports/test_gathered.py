"""What the user chooses, and what of the records is no longer in the suite."""

import pytest

from deep_em_bench.core import UserError


@pytest.fixture
def labels(gather, make_record, tmp_path):
    records = [
        make_record(label, 0, {"ari": 0.5}, method=label.partition("[")[0], profile=profile)
        for label in ("gan_em[stable]", "gan_em[no GAN]", "ganmm[stable]", "kmeans[default]")
        for profile in ("tiny", "quick")
    ]

    def labels(**choice):
        data = gather(records, **choice)
        return sorted({row.label for block in data.blocks for row in block.rows})

    return labels


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("gan*", ["gan_em[no GAN]", "gan_em[stable]", "ganmm[stable]"]),
        ("gan_em", ["gan_em[no GAN]", "gan_em[stable]"]),
        ("gan_em[stable]", ["gan_em[stable]"]),
    ],
)
def test_rows_are_chosen_by_glob_method_or_label(labels, pattern, expected):
    assert labels(methods=(pattern,)) == expected


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"methods": ("svm*",)}, "no row is like 'svm"),
        ({"datasets": ("cifar",)}, "no data set is like 'cifar'; there are: digits"),
        ({"profile": "full"}, "no records with profile 'full'; there are some with: quick, tiny"),
        ({"metrics": ("nmi",)}, "has nmi; there are: ari"),
        ({"split": "test"}, "no record has scores of the split 'test'; there are: train"),
    ],
)
def test_what_finds_nothing_is_one_line(labels, choice, says):
    with pytest.raises(UserError, match=says.replace("(", r"\(")):
        labels(**choice)


def test_a_row_that_left_the_suite_is_left_out_unless_asked_for(labels):
    rows = ["gan_em[stable]", "kmeans[default]"]
    assert labels(rows=rows) == rows
    assert labels(rows=rows, methods=("ganmm*",)) == ["ganmm[stable]"]


def test_rows_are_renamed(gather, make_record):
    data = gather([make_record("kmeans", 0, {"ari": 0.5})], rename={"kmeans": "Ours"})
    assert data.blocks[0].rows[0].title == "Ours"
