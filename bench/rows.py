"""What is measured: models, batches, kinds of work, and the ratio to the best peer that unroll is to reach."""

from dataclasses import dataclass, field

WORDS = 10000  # the vocabulary of the lecture
STEPS = 500
BATCH = 128

TRAIN, PREDICT, ONE = "train", "predict", "one"
KINDS = {
    TRAIN: f"training step, {BATCH} rows",
    PREDICT: f"prediction, {BATCH} rows",
    ONE: "prediction, one row",
}


class Cannot(Exception):
    """A peer does not offer a work."""


@dataclass(frozen=True)
class Model:
    """Embedding(WORDS, units), recurrent layers, Dense(1, sigmoid)."""

    layer: str  # simple_rnn, lstm, gru, or the name of a text of equations
    units: int = 32
    depth: int = 1
    both: bool = False  # in both directions
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    text: str = ""  # the file of the equations

    @property
    def name(self):
        """As in a MODEL of the command, short."""
        s = f"{self.layer}({self.units})"
        if self.both:
            s = f"bidirectional({s})"
        if self.dropout or self.recurrent_dropout:
            s += f" dropout {self.dropout} {self.recurrent_dropout}"
        return f"{self.depth} x {s}" if self.depth > 1 else s


@dataclass(frozen=True)
class Work:
    """A model on batches: imdb rows are padded in front to STEPS, full ones have that many words and more."""

    model: Model
    rows: str  # imdb, full
    ratios: dict = field(default_factory=dict, hash=False)  # by kind: to the best peer, at least
    quick: bool = False  # measured by --quick too
    beside: str = ""  # no peer: compared with unroll's own time for this model
    compared: int = 5  # so many training steps must have the same losses

    @property
    def name(self):
        return f"{self.model.name}, {self.rows} rows"


LSTM = Model("lstm")

ALL = [
    Work(Model("simple_rnn"), "imdb", {TRAIN: 40, PREDICT: 17}, quick=True),
    Work(LSTM, "imdb", {TRAIN: 17, PREDICT: 6.5}, quick=True),
    Work(Model("gru"), "imdb", {TRAIN: 28, PREDICT: None}, quick=True),
    Work(Model("simple_rnn", depth=4), "imdb", {TRAIN: 24}),
    Work(Model("lstm", both=True), "imdb", {TRAIN: 11}),
    Work(Model("simple_rnn"), "full", {TRAIN: 22, ONE: 5}, quick=True),
    Work(LSTM, "full", {TRAIN: 9, ONE: 4}, quick=True),
    Work(Model("gru"), "full", {ONE: 3}, quick=True),
    Work(Model("lstm", dropout=0.2, recurrent_dropout=0.2), "imdb", {TRAIN: 10}),
    Work(Model("lstm", units=128), "imdb", {TRAIN: 5}),
    Work(Model("lstm", units=512), "imdb", {TRAIN: 3.5}),
    # Its gates are tanh: over 500 steps it multiplies a rounding by thousands, and from the third training step on two instruction sets of one
    # program part as far as two programs do.
    Work(Model("lecture_lstm", text="../layers/cells/lecture_lstm.cell"), "imdb", {TRAIN: 12}, compared=2),
    # A user's own cells: at most 2.5 times what the LSTM takes, so a ratio of at least 0.4.
    Work(Model("peephole_lstm", text="cells/peephole_lstm.cell"), "imdb", {TRAIN: 0.4}, beside=LSTM.name),
    Work(Model("minimal_gated_unit", text="cells/minimal_gated_unit.cell"), "imdb", {TRAIN: 0.4}, beside=LSTM.name),
]

# How many losses are kept, and how far they may lie apart.
COMPARED, TOLERANCE = 5, 1e-3
