"""Write a made-up BEIR folder of any size, to measure ingest with: `python benchmarks/beir_corpus.py FOLDER GIGABYTES`."""

import json
import sys
from pathlib import Path

import numpy as np

WORDS_IN_A_PASSAGE = (20, 180)
QUERIES_IN_A_THOUSAND = 50
REPEATED_IN_A_THOUSAND = 20


def main(folder: Path, gigabytes: float) -> None:
    """Write corpus.jsonl of about `gigabytes`, a query for every twentieth passage, and one judgement for each."""
    draw = np.random.default_rng(17)
    words = np.array(["".join(draw.choice(list("etaoinshrdlu"), draw.integers(2, 11))) for _ in range(50_000)])
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    written, number, text = 0, 0, ""
    with (
        (folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus,
        (folder / "queries.jsonl").open("w", encoding="utf-8") as queries,
        (folder / "qrels" / "train.tsv").open("w", encoding="utf-8") as qrels,
    ):
        qrels.write("query-id\tcorpus-id\tscore\n")
        while written < gigabytes * 1e9:
            drawn = words[np.minimum(draw.zipf(1.3, draw.integers(*WORDS_IN_A_PASSAGE)), len(words)) - 1].tolist()
            if number % 1000 >= REPEATED_IN_A_THOUSAND:
                text = f"{' '.join(drawn)} {number}"
            line = json.dumps({"_id": f"d{number * 7919 % 100_000_007}", "title": drawn[0], "text": text})
            written += corpus.write(f"{line}\n")
            if number % 1000 < QUERIES_IN_A_THOUSAND:
                queries.write(json.dumps({"_id": f"q{number}", "text": f"{' '.join(drawn[:8])} {number}"}) + "\n")
                qrels.write(f"q{number}\td{number * 7919 % 100_000_007}\t1\n")
            number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
