"""Facts about teachers of kind dense, on small models of the right architecture made on the spot."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faiss.contrib.exhaustive_search import knn_ground_truth
from numpy.typing import NDArray

from embedder import encoding, layout, teachers
from embedder.errors import TableError, TeacherError
from embedder.params.runtime import Runtime
from embedder.revisions import content_hash, file_hashes
from embedder.teachers import Block, Corpus, Queries, readings
from embedder.teachers.dense import Options
from tests.models import WORDS, make_bert, make_mistral

CPU = Runtime(device="cpu")
EXACT = {"kind": "exact"}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that a model reads, after its prompt."""
    texts: list[str] = []
    encode = encoding.encode

    def noted(model: Any, part: Sequence[str], prompt: str = "", *rest: Any, **named: Any) -> NDArray[np.float32]:  # noqa: ANN401
        texts.extend(prompt + text for text in part)
        return encode(model, part, prompt, *rest, **named)

    monkeypatch.setattr(encoding, "encode", noted)
    return texts


def _texts(count: int, seed: int) -> list[str]:
    draws = np.random.default_rng(seed)
    made = {" ".join(draws.choice(WORDS, draws.integers(2, 20))) for _ in range(3 * count)}
    return sorted(made)[:count]


def _options(folder: Path, **changes: object) -> Options:
    written: dict[str, object] = {
        "kind": "dense",
        "name": str(folder),
        "revision": content_hash(file_hashes(folder)),
        "adapter": None,
        "licence": "CC0-1.0",
        "pooling": "cls",
        "query_prompt": "alpha: ",
        "passage_prompt": "",
        "query_length": 24,
        "passage_length": 32,
        "dtype": "float32",
        "normalise": True,
        "add_eos": False,
        "dimensions": 16,
        "parameters": 10_000,
        "index": EXACT,
        "agreement_sample": 0,
    }
    return Options.model_validate(written | changes)


def _mistral(folder: Path, **changes: object) -> Options:
    prompt = "Instruct: {instruction}\nQuery: "
    named = {"pooling": "last_token", "add_eos": True, "query_prompt": prompt, "passage_length": 64}
    return _options(folder, **(named | {"query_length": 64} | changes))


def _corpus(texts: Sequence[str], **more: Any) -> Corpus:  # noqa: ANN401 - any field
    return Corpus([f"{i:04}" for i in range(len(texts))], list(texts), **more)


def _asked(texts: Sequence[str], most: int, judged: Sequence[Sequence[int]] = (), *, deep: bool = False) -> Queries:
    known = [np.array(one, np.int64) for one in judged]
    return Queries([f"{i:04}" for i in range(len(texts))], list(texts), np.full(len(texts), most), known, deep)


def _block(options: Options, corpus: Corpus, queries: Queries) -> Block:
    (block,) = teachers.build(options, corpus, CPU).score(queries)
    return block


def _rows(block: Block) -> Iterator[dict[int, tuple[float, int]]]:
    """Yield for each query the score and rank of each passage."""
    assert block.ranks is not None
    for start, end in zip(block.indptr[:-1], block.indptr[1:], strict=True):
        part = slice(int(start), int(end))
        found = zip(block.scores[part].tolist(), block.ranks[part].tolist(), strict=True)
        yield dict(zip(block.passages[part].tolist(), found, strict=True))


def _oracle(options: Options, corpus: Corpus, queries: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What sentence-transformers itself makes of queries and passages, built without this project's code."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    ends = {"add_bos_token": True, "add_eos_token": True} if options.add_eos else {}
    out = []
    for texts, prompt, length in (
        (queries, options.query_prompt.replace("{instruction}", corpus.instruction), options.query_length),
        (list(corpus.texts), options.passage_prompt, options.passage_length),
    ):
        transformer = Transformer(options.name, processor_kwargs={"model_max_length": length, **ends})
        pooling = Pooling(transformer.get_embedding_dimension(), options.pooling.replace("_", ""))
        model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
        out.append(model.encode(list(texts), prompt=prompt))
    return out[0], out[1]


@pytest.mark.parametrize("architecture", ["bert", "mistral"])
def test_runs_are_those_of_sentence_transformers_and_faiss(architecture: str, tmp_path: Path) -> None:
    """Scores equal dot products of SentenceTransformer.encode within 1e-5, and the order FAISS's knn_ground_truth.

    The Mistral's tokenizer.json adds no end token, and some texts are cut to the length.
    """
    folder = tmp_path / "model"
    options = _options(make_bert(folder)) if architecture == "bert" else _mistral(make_mistral(folder))
    corpus, queries = _corpus(_texts(120, 1), instruction="find it"), _texts(20, 2)
    found = list(_rows(_block(options, corpus, _asked(queries, 30))))
    left, right = _oracle(options, corpus, queries)
    products = left @ right.T
    scores, _ = knn_ground_truth(left, iter([right]), 30, metric_type=0)  # type: ignore[no-untyped-call]
    for row, ranked in enumerate(found):
        best = sorted(ranked, key=lambda passage: ranked[passage][1])
        np.testing.assert_allclose([ranked[p][0] for p in best], scores[row], atol=1e-5)
        np.testing.assert_allclose([ranked[p][0] for p in best], products[row, best], atol=1e-5)
        assert [ranked[p][1] for p in best] == list(range(1, 31))


def test_judged_passages_have_scores_and_deep_ranks_where_asked(tmp_path: Path) -> None:
    """A judged passage beyond the best has its score, and the rank of a full sort if ranks are wanted however deep."""
    options, corpus, queries = _options(make_bert(tmp_path / "model")), _corpus(_texts(60, 1)), _texts(5, 2)
    whole = list(_rows(_block(options, corpus, _asked(queries, 60))))
    judged = [[0, 7, 59], [3], [], [1, 2, 3, 4], [58]]
    for deep in (False, True):
        for full, part, known in zip(
            whole, _rows(_block(options, corpus, _asked(queries, 4, judged, deep=deep))), judged, strict=True
        ):
            best = {passage: found for passage, found in full.items() if found[1] <= 4}
            beyond = {p: (full[p][0], full[p][1] if deep else 0) for p in known if p not in best}
            assert part == best | beyond


def test_queries_that_want_more_get_more(tmp_path: Path) -> None:
    """Each query gets at least as many passages as it wants, never more than there are, in the same order as others."""
    options, corpus, queries = _options(make_bert(tmp_path / "model")), _corpus(_texts(60, 1)), _texts(4, 2)
    most = np.array([5, 60, 6, 20])
    block = _block(options, corpus, Queries(list("abcd"), queries, most))
    assert (np.diff(block.indptr) >= most).all()
    for all_of_it, part in zip(_rows(_block(options, corpus, _asked(queries, 60))), _rows(block), strict=True):
        assert part.items() <= all_of_it.items()


def test_nothing_is_read_twice(tmp_path: Path, read: list[str]) -> None:
    """A second scoring reads nothing; a passage more is the only text that is read, and changes no other score."""
    options, texts, queries = _options(make_bert(tmp_path / "model")), _texts(50, 1), _texts(6, 2)
    first = list(_rows(_block(options, _corpus(texts), _asked(queries, 50))))
    assert len(read) == 56
    read.clear()
    again = list(_rows(_block(options, _corpus(texts), _asked(queries, 50))))
    assert (again, read) == (first, [])
    more = list(_rows(_block(options, _corpus([*texts, "mu mu mu"]), _asked(queries, 51))))
    assert read == ["mu mu mu"]
    assert [{p: found[0] for p, found in row.items() if p < 50} for row in more] == [
        {p: found[0] for p, found in row.items()} for row in first
    ]


def test_a_prompt_re_reads_what_it_stands_before(tmp_path: Path, read: list[str]) -> None:
    """Another query prompt reads queries again and no passage; another instruction reads nothing without its place."""
    folder, texts, queries = make_bert(tmp_path / "model"), _texts(30, 1), _texts(4, 2)
    for options, instruction, expected in (
        (_options(folder), "one", ["alpha: " + text for text in queries] + texts),
        (_options(folder), "two", []),
        (_options(folder, query_prompt="beta: "), "two", ["beta: " + text for text in queries]),
        (_options(folder, query_prompt="{instruction}: "), "mu", ["mu: " + text for text in queries]),
        (_options(folder, passage_length=16), "mu", texts),
        (_options(folder), "one", []),
    ):
        read.clear()
        _block(options, _corpus(texts, instruction=instruction), _asked(queries, 5))
        assert sorted(read) == sorted(expected)


def test_passages_are_read_with_the_instruction_where_the_dataset_says_so(tmp_path: Path, read: list[str]) -> None:
    """A symmetric task reads both sides alike, so a text that is query and passage is read once."""
    options, texts = _options(make_bert(tmp_path / "model"), passage_length=24), _texts(10, 1)
    found = list(_rows(_block(options, _corpus(texts, instruct_passages=True), _asked(texts[:3], 10))))
    assert sorted(read) == sorted("alpha: " + text for text in texts)
    assert [row[i][0] for i, row in enumerate(found)] == pytest.approx([1, 1, 1], abs=1e-6)


def test_two_local_models_in_turn_never_share_vectors(tmp_path: Path, read: list[str]) -> None:
    """Models of the same shape under the same name in turn: each has its own scores, and back again reads nothing."""
    import torch

    corpus, queries, folder = _corpus(_texts(20, 1)), _texts(3, 2), tmp_path / "model"
    options, found = [], []
    for seed in (0, 1, 0):
        make_bert(folder)
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        torch.manual_seed(seed)
        name = "embeddings.word_embeddings.weight"
        weights[name] = torch.randn(weights[name].shape)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        options.append(_options(folder))
        read.clear()
        found.append(list(_rows(_block(options[-1], corpus, _asked(queries, 20)))))
    assert options[0].revision == options[2].revision != options[1].revision
    assert found[0] == found[2] != found[1]
    assert read == []


def test_the_revision_fixes_the_scores(tmp_path: Path) -> None:
    """Another prompt, length, dtype, index or instruction is another revision; another name of a folder or licence is not."""
    folder = make_bert(tmp_path / "model")
    same = [_options(folder), _options(folder, name="elsewhere", licence="MIT", parameters=1)]
    index = {"kind": "ivf", "lists": 2, "probes": 1, "sample": 1, "min_recall": 0.5}
    changes: list[dict[str, object]] = [
        {"query_prompt": "mu: "},
        {"query_length": 16},
        {"dtype": "bfloat16"},
        {"index": index},
    ]
    other = [_options(folder, **change) for change in changes]
    revisions = [teachers.build(one, _corpus(["alpha"]), CPU).revision for one in [*same, *other]]
    assert len(set(revisions)) == len(revisions) - 1
    assert revisions[0] == revisions[1]
    asked = [teachers.build(_mistral(folder), _corpus(["alpha"], instruction=one), CPU).revision for one in "ab"]
    assert asked[0] != asked[1]
    assert teachers.build(same[0], _corpus(["alpha"]), CPU).report()["weights"] == {"content": same[0].revision}


def test_a_wrong_number_of_dimensions_is_one_line(tmp_path: Path, read: list[str]) -> None:
    """An entry that promises other vectors than the model makes names both numbers, before any passage is read."""
    options = _options(make_bert(tmp_path / "model"), dimensions=17)
    with pytest.raises(TeacherError, match=r"its vectors have 16 dimensions, not 17; correct `dimensions`"):
        _block(options, _corpus(_texts(5, 1)), _asked(["mu"], 3))
    assert read == ["alpha: mu"]


def test_a_prompt_that_leaves_nothing_of_a_text_is_refused(tmp_path: Path) -> None:
    """A prompt as long as the length would give every query the same vector."""
    options = _mistral(make_mistral(tmp_path / "model"), query_length=20)
    with pytest.raises(TeacherError, match=r"its prompt takes \d+ of 20 tokens.*raise query_length"):
        _block(options, _corpus(_texts(5, 1), instruction="Find what it says"), _asked(_texts(3, 2), 3))


def test_a_pooling_that_sees_no_text_is_refused(tmp_path: Path) -> None:
    """The first token of a causal model sees nothing but itself: all queries would have one vector."""
    options = _mistral(make_mistral(tmp_path / "model"), pooling="cls", query_prompt="")
    with pytest.raises(TeacherError, match="gives all 3 queries one vector; correct `pooling`"):
        _block(options, _corpus(_texts(5, 1)), _asked(_texts(3, 2), 3))


def test_a_damaged_vector_is_never_mined_with(tmp_path: Path) -> None:
    """A flipped bit in a unit stops the scoring and names what mends it."""
    options, corpus, asked = _options(make_bert(tmp_path / "model")), _corpus(_texts(20, 1)), _asked(_texts(3, 2), 3)
    _block(options, corpus, asked)
    for unit in (layout.VECTORS).glob("*/units/*"):
        content = bytearray(unit.read_bytes())
        content[-3] ^= 1
        unit.write_bytes(content)
    with pytest.raises(TableError, match="is not as it was written; embedder check --cache"):
        _block(options, corpus, asked)


def test_large_models_on_a_cpu_commit_smaller_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit is minutes of work: a model of 8.6 billion weights commits a hundredth of the characters."""
    asked: list[int] = []

    def fill(*_: object, unit_characters: int, **__: object) -> int:
        asked.append(unit_characters)
        return 0

    monkeypatch.setattr(readings, "fill", fill)
    for parameters in (10_000, 86_000_000, 860_000_000, 10**12):
        made = readings.Readings(_options(make_bert(tmp_path / "model")), CPU, "it", parameters=parameters)
        made.fill(["mu"], "", 24, "it")
    assert asked == [2**20, 2**20, 2**20 // 10, 2**14]


def test_an_inverted_file_reports_its_recall_and_is_refused_below_the_bound(tmp_path: Path) -> None:
    """All lists find all and the run is the exact one; one list of eight finds less than the entry asks for."""
    folder, corpus, queries = make_bert(tmp_path / "model"), _corpus(_texts(400, 1)), _texts(10, 2)
    index = {"kind": "ivf", "lists": 8, "probes": 8, "sample": 5, "min_recall": 0.9}
    teacher = teachers.build(_options(folder, index=index), corpus, CPU)
    (block,) = teacher.score(_asked(queries, 40))
    assert list(_rows(block)) == list(_rows(_block(_options(folder), corpus, _asked(queries, 40))))
    assert teacher.report()["index"] == {"recall": 1.0, "depth": 40, "queries": 5}
    poor = _options(folder, index=index | {"probes": 1, "min_recall": 0.99})
    with pytest.raises(TeacherError, match=r"of the 40 best passages, less than min_recall 0\.99; raise `probes`"):
        _block(poor, corpus, _asked(queries, 40))


def test_an_inverted_file_is_not_asked_for_what_it_cannot_tell(tmp_path: Path) -> None:
    """Small corpora, labels and ranks of any depth are searched exactly, and the report says why."""
    folder, queries = make_bert(tmp_path / "model"), _texts(5, 2)
    index = {"kind": "ivf", "lists": 4, "probes": 1, "sample": 5, "min_recall": 0.01}
    options, exact = _options(folder, index=index), _options(folder)
    for size, judged, deep, said in ((100, (), False, "100 passages"), (200, [[3]] * 5, True, "any depth")):
        corpus, asked = _corpus(_texts(size, 1)), _asked(queries, 10, judged, deep=deep)
        teacher = teachers.build(options, corpus, CPU)
        (block,) = teacher.score(asked)
        assert list(_rows(block)) == list(_rows(_block(exact, corpus, asked)))
        assert said in str(teacher.report()["index"])


def test_more_passages_than_there_are_are_all(tmp_path: Path) -> None:
    """A query that wants more than the corpus has gets all of it."""
    options = _options(make_bert(tmp_path / "model"))
    assert [len(row) for row in _rows(_block(options, _corpus(_texts(7, 1)), _asked(["mu"], 50)))] == [7]


def test_a_16_bit_model_is_compared_with_float32(tmp_path: Path) -> None:
    """The report says on how many texts, and how much of the best 100 the two have in common; without a sample nothing."""
    folder, corpus = make_bert(tmp_path / "model"), _corpus(_texts(300, 1))
    teacher = teachers.build(_options(folder, dtype="bfloat16", agreement_sample=200), corpus, CPU)
    list(teacher.score(_asked(_texts(40, 2), 10)))
    agreement: Any = teacher.report()["agreement"]
    assert (agreement["passages"], agreement["queries"]) == (200, 25)
    assert 0.5 < agreement["top_100_overlap_with_float32"] < 1
    silent = teachers.build(_options(folder, dtype="bfloat16"), corpus, CPU)
    list(silent.score(_asked(_texts(40, 2), 10)))
    assert "agreement" not in silent.report()


def test_no_queries_read_nothing(tmp_path: Path, read: list[str]) -> None:
    """A dataset without a train query is not encoded."""
    teacher = teachers.build(_options(make_bert(tmp_path / "model")), _corpus(["alpha"]), CPU)
    assert list(teacher.score(_asked([], 3))) == []
    assert read == []
