"""What asking a language model takes, in tokens and in money, and how much of both is allowed."""

from collections.abc import Mapping
from dataclasses import dataclass

_MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Money per million tokens; None where nobody knows."""

    prompt: float | None
    completion: float | None

    def of(self, prompt: int, completion: int) -> float | None:
        """Return what so many tokens cost."""
        if self.prompt is None or self.completion is None:
            return None
        return (prompt * self.prompt + completion * self.completion) / _MILLION


@dataclass
class Spending:
    """Tokens that are used, and limits to them.

    Attributes:
        prices: of a token.
        max_tokens: the most tokens; None for any number.
        max_cost: the most money; None for any.
        prompt: tokens read.
        completion: tokens written.
    """

    prices: Prices
    max_tokens: int | None
    max_cost: float | None
    prompt: int = 0
    completion: int = 0

    def add(self, prompt: int, completion: int) -> None:
        """So many more are used."""
        self.prompt += prompt
        self.completion += completion

    @property
    def money(self) -> float | None:
        """What they cost."""
        return self.prices.of(self.prompt, self.completion)

    def exceeded(self, prompt: int, completion: int) -> str:
        """Name the limit that so many more tokens would pass; empty where there is none."""
        tokens = self.prompt + prompt + self.completion + completion
        if self.max_tokens is not None and tokens > self.max_tokens:
            return f"{tokens:,} tokens, more than max_tokens {self.max_tokens:,}"
        money = self.prices.of(self.prompt + prompt, self.completion + completion)
        if self.max_cost is not None and money is not None and money > self.max_cost:
            return f"{money:,.2f}, more than max_cost {self.max_cost:,.2f}"
        return ""

    def reached(self) -> str:
        """Name the limit that is reached; empty where none is."""
        tokens, money = self.prompt + self.completion, self.money
        if self.max_tokens is not None and tokens >= self.max_tokens:
            return f"{tokens:,} tokens are used of max_tokens {self.max_tokens:,}"
        if self.max_cost is not None and money is not None and money >= self.max_cost:
            return f"{money:,.2f} is spent of max_cost {self.max_cost:,.2f}"
        return ""

    def report(self) -> Mapping[str, object]:
        """Return tokens and money for report.json."""
        money = self.money
        cost = None if money is None else round(money, 6)
        return {"prompt_tokens": self.prompt, "completion_tokens": self.completion, "cost": cost}
