"""What the tests of figures share: made-up runs, and the words a figure shows."""

import numpy as np

from deep_em_bench.results import DatasetUsed

DIGITS = DatasetUsed(name="digits", n=60, n_test=0, n_classes=3)
HOSTILE = (
    "$x_y\\frac{1}{0}$",
    "\\<b>&%#~^{}",
    "$",
    "[a](b)\n\x07漢字🙂é́",
    "gan_em[stable] " + "alpha=0.1, beta=[1, 2, 3], " * 9 + "end=1",
    "gan_em[stable] " + "alpha=0.1, beta=[1, 2, 3], " * 9 + "end=2",
    "W" * 200,
)


def rows(n, K=3, **changes):
    """A history as GAN-EM writes it."""
    return [
        {
            "iteration": i,
            "d_loss": 2 / i,
            "g_loss": -1 / i,
            "cross_entropy": 1 / i,
            "responsibility_entropy": 0.5 / i,
            "churn": 0.3 / i,
            "shares": [1 / K] * K,
            "m_seconds": 3.0,
            "e_seconds": 1.0,
        }
        | changes
        for i in range(1, n + 1)
    ]


def images(K, shape=(1, 8, 8)):
    """All of component i as bright as 20 i."""
    levels = 20 * np.arange(K, dtype=np.uint8)
    return np.broadcast_to(levels.reshape(K, 1, 1, 1, 1), (K, 10, *shape)).copy()


def words_of(figure):
    from matplotlib.text import Text  # tables are tested without it

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def titles(figure):
    axes = [ax for ax in figure.axes if ax.get_visible()]
    return [title for ax in axes if (title := ax.get_title("left") or ax.get_title())]


def only(figures, kind):
    (figure,) = [figure for stem, figure in figures.items() if stem.startswith(kind)]
    return figure
