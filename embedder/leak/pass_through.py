"""Pass-through: had a known positive not been judged, would the rules have kept it, and would it have been drawn?

Each positive in turn is left out: it is then a candidate, ranks count without it, and margins are about the query's other
positives. The scale of percentiles, made of all positives of the dataset, is left as it is.

Drawn is what materialize and a training row do: of the candidates kept some are stored, judged negatives first, then at
random or from the top; of the stored, each row draws some at random. How score-weighted sampling stores has no closed form.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.filters import Candidates, refusals
from embedder.leak.hardness import Hardness, known
from embedder.leak.kept import FIXED, Pools, kept, pools, take
from embedder.leak.left_out import Ints, LeftOut
from embedder.leak.resampling import effective, exact, frequencies, shares
from embedder.leak.rows import Row
from embedder.leak.settings import Setting
from embedder.leak.strata import ALL, STRATA, strata
from embedder.params.models import Leak

Floats = NDArray[np.float64]

# Of each setting: kept; kept, times its twins; drawn at random; drawn from the top. As columns of `Row`, with intervals.
_SHARES = (
    ("pass_through", "low", "high"),
    ("weighted", "weighted_low", "weighted_high"),
    ("drawn_random", "drawn_random_low", "drawn_random_high"),
    ("drawn_top", "drawn_top_low", "drawn_top_high"),
)
_MEASURES = len(_SHARES)
# Wholes: positives; those with a twin, of which alone margins can be asked; twins.
_WHOLES = 3
# Queries whose draws are in memory at once: 32 MB of 1,000 samples.
_QUERIES = 4096


class Meter:
    """Measures settings block by block; its memory grows with queries and settings, not with candidates.

    Args:
        settings: the current one first.
        leak: draws, and how intervals are made.
        stored: how many negatives materialize stores of a query.
        query_ids: of the dataset, sorted; blocks refer to them by index.
        query_words: [queries] how long each is; None where nobody knows.
    """

    def __init__(
        self,
        settings: Sequence[Setting],
        leak: Leak,
        stored: int,
        query_ids: Sequence[str],
        query_words: Ints | None,
    ) -> None:
        self.settings = settings
        self._leak, self._query_ids, self._words = leak, query_ids, query_words
        # A row cannot draw more than are stored.
        self._draws, self._stored = min(leak.draws, stored), stored
        self._margin = np.array([setting.has_margin for setting in settings])
        columns = len(settings) * _MEASURES + _WHOLES
        self._sums = np.zeros((len(STRATA), 1 + leak.bootstrap_samples, columns))
        self._queries = np.zeros(len(STRATA), dtype=np.int64)
        # Of each query's wholes.
        self._squares = np.zeros((len(STRATA), _WHOLES))
        self._left = Hardness(len(settings), self._draws, stored)

    def add(self, of: Ints, candidates: Candidates, left: LeftOut) -> None:
        """Measure one block of whole queries; no query is in two.

        Args:
            of: [rows] the query of each candidate, ascending.
            candidates: of these queries.
            left: all positives of these queries, of those included that have no candidate.
        """
        if not len(left.query):
            return
        fixed = refusals(candidates, self.settings[0].rules, FIXED)
        free = np.flatnonzero(fixed == 0)
        queries = np.unique(left.query)
        self._left.add(of[free], take(candidates, free), queries, self.settings)
        self._sum(queries, left, self._outcomes(of, candidates, fixed, left))

    def _outcomes(self, of: Ints, candidates: Candidates, fixed: NDArray[np.int32], left: LeftOut) -> Floats:
        """Return [positives, settings * measures + wholes], zeros where a margin cannot be asked."""
        passes = np.stack(list(kept(left.candidates(candidates.scale), self.settings)), axis=1)
        passes &= ((left.rank > 0) & (left.refused_by == 0))[:, None]
        passes &= (left.others > 0)[:, None] | ~self._margin
        chosen = np.flatnonzero(passes.any(axis=1))
        found = pools(of, candidates, fixed, left.take(chosen), self.settings)
        random, top = np.zeros(passes.shape), np.zeros(passes.shape)
        random[chosen], top[chosen] = drawn(found, self._draws, self._stored)
        measures = np.stack([passes, passes * left.others[:, None], passes * random, passes * top], axis=2)
        wholes = np.stack([np.ones(len(passes)), left.others > 0, left.others], axis=1)
        return np.concatenate([measures.reshape(len(passes), -1), wholes], axis=1)

    def _sum(self, queries: Ints, left: LeftOut, outcomes: Floats) -> None:
        words = None if self._words is None else self._words[left.query]
        members = strata(left, words)
        for start in range(0, len(queries), _QUERIES):
            some = queries[start : start + _QUERIES]
            part = slice(*np.searchsorted(left.query, [some[0], some[-1] + 1]))
            ids = [self._query_ids[query] for query in some.tolist()]
            counts = frequencies(ids, self._leak.bootstrap_samples, self._leak.seed)
            for i, member in enumerate(members):
                rows = part.start + np.flatnonzero(member[part])
                if len(rows):
                    self._add(i, counts, np.searchsorted(some, left.query[rows]), outcomes[rows])

    def _add(self, stratum: int, counts: Floats, query: Ints, outcomes: Floats) -> None:
        """Add positives of a kind; `counts` has how often each query counts, `query` each positive's, ascending."""
        starts = np.flatnonzero(np.diff(query, prepend=-1))
        per_query = np.add.reduceat(outcomes, starts)
        self._sums[stratum] += counts[query[starts]].T @ per_query
        self._queries[stratum] += len(starts)
        self._squares[stratum] += np.square(per_query[:, -_WHOLES:]).sum(axis=0)

    def at_least(self, count: int) -> Floats:
        """Return for each setting the share of queries of which it keeps at least `count` candidates."""
        return 1 - self._left.fewer(count)

    def rows(self) -> list[Row]:
        """Return what was measured: for each setting all positives, then every kind of which there are any."""
        measured = {name: list(self._measured(i)) for i, name in enumerate(STRATA) if self._queries[i]}
        left = self._left.figures()
        return [
            self._row(number, name, values[number], left[number] if name == ALL else {})
            for number in range(len(self.settings))
            for name, values in measured.items()
        ]

    def _measured(self, stratum: int) -> Iterator[dict[str, float | int | None]]:
        """Yield for each setting what is known of the positives of a kind."""
        sums = self._sums[stratum]
        positives, twinned, twins = (sums[:, [column]] for column in range(-_WHOLES, 0))
        single, paired, weight = effective(sums[0, -_WHOLES:], self._squares[stratum])
        whole = np.where(self._margin, twinned, positives), np.where(self._margin, paired, single)
        weighted = np.repeat(twins, len(self._margin), axis=1), np.full(len(self._margin), weight)
        parts = sums[:, :-_WHOLES].reshape(len(sums), -1, _MEASURES)
        found: dict[str, Floats] = {}
        for i, names in enumerate(_SHARES):
            over, of = weighted if names[0] == "weighted" else whole
            found |= zip(names, shares(parts[:, :, i], over, of, self._leak.confidence), strict=True)
        for number, identifiable in enumerate(whole[0][0]):
            yield {
                "positives": int(positives[0, 0]),
                "queries": int(self._queries[stratum]),
                "not_identifiable": int(positives[0, 0] - identifiable),
                **{name: known(values[number]) for name, values in found.items()},
            }

    def _row(
        self, number: int, stratum: str, measured: dict[str, float | int | None], left: dict[str, float | None]
    ) -> Row:
        setting = self.settings[number]
        rules = (
            "min_rank",
            "max_rank",
            "counted",
            "absolute_margin",
            "relative_margin",
            "percentile_margin",
            "reference",
        )
        nothing = dict.fromkeys(("kept_per_query", "short_share", "hardness", "hardness_top"))
        values = {name: getattr(setting.rules, name) for name in rules} | measured | nothing | left
        return Row(setting=setting.name, current=number == 0, stratum=stratum, **values)


def drawn(found: Pools, draws: int, stored: int) -> tuple[Floats, Floats]:
    """Return the chance of each positive to be drawn by a training row: [positives, settings], random and top.

    Args:
        found: what each setting keeps beside it.
        draws: how many negatives a row draws of those stored, at most as many as are.
        stored: how many are stored of a query, judged negatives first.
    """
    judged = found.judged[:, None]
    seen = np.minimum(1.0, draws / np.minimum(found.size.T, stored))
    random = np.clip((stored - judged) / (found.size.T - judged), 0.0, 1.0)
    return exact(random * seen), exact(np.where(judged + found.above.T < stored, seen, 0.0))
