"use strict";
// Counts verdicts anew when rules are switched off, and lists queries to search, sort and open.
// Text from data only ever becomes a text node: nothing here parses HTML.

const PAGE_SIZE = 50;
// From this share of common words on, a candidate is shown as much like a positive, whatever the rules say.
const ALIKE = 0.5;

const whole = new Intl.NumberFormat("en");
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "word" }) : null;

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const worded = (name) => name.replaceAll("_", " ");
const colour = (verdict) => `v v-${verdict.replaceAll("_", "-")}`;
const decimals = (value) => (value === null ? "" : value.toFixed(3));
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

/** Make an element; children are elements or text, attributes that are null, undefined or false are left out. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value instanceof Function) element.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Call a function the first time it is needed, and remember what it returned. */
function once(compute) {
  let result;
  return () => (result ??= compute());
}

const inspection = read("inspection");
// Texts are most of the page: they are read when the first query is opened.
const passages = once(() => read("passages"));
const rules = Object.keys(inspection.rules);

/** The rule of the lowest bit of a set: the first that refuses. */
const firstRule = (set) => (set === 0 ? "keep" : rules[31 - Math.clz32(set & -set)]);
const rulesIn = (set) => rules.filter((name) => set & inspection.rules[name]);

// ---- What if some rules were off?

function countVerdicts(refusals, off) {
  const counts = {};
  for (const [set, count] of refusals) {
    const verdict = firstRule(set & ~off);
    counts[verdict] = (counts[verdict] ?? 0) + count;
  }
  return counts;
}

function showCounts(section, counts, before) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const bars = section.querySelectorAll(".stack rect");
  let start = 0;
  section.querySelectorAll(".verdicts li").forEach((entry, place) => {
    const count = counts[entry.dataset.verdict] ?? 0;
    const change = count - (before[entry.dataset.verdict] ?? 0);
    const [number, share, more] = ["b", "b + span", "em"].map((part) => entry.querySelector(part));
    number.textContent = whole.format(count);
    share.textContent = `${((100 * count) / total).toFixed(1)}%`;
    more.textContent = change === 0 ? "" : `${change > 0 ? "+" : "−"}${whole.format(Math.abs(change))}`;
    bars[place].setAttribute("x", (1000 * start) / total);
    bars[place].setAttribute("width", (1000 * count) / total);
    start += count;
  });
}

function addWhatIf(dataset) {
  const section = document.getElementById(`dataset-${dataset.name}`);
  const boxes = [...section.querySelectorAll(".verdicts input")];
  if (boxes.length === 0) return;
  const before = countVerdicts(dataset.refusals, 0);
  const recount = () => {
    const off = boxes.filter((box) => !box.checked).reduce((set, box) => set | inspection.rules[box.value], 0);
    showCounts(section, countVerdicts(dataset.refusals, off), before);
    reset.hidden = off === 0;
  };
  const allOn = () => {
    boxes.forEach((box) => (box.checked = true));
    recount();
    boxes[0].focus();
  };
  const reset = make("button", { type: "button", class: "reset", hidden: true, click: allOn }, "All rules on");
  for (const box of boxes) {
    box.disabled = false;
    box.checked = true;
    box.addEventListener("change", recount);
  }
  section.querySelector(".verdicts").after(reset);
}

// ---- Words that two texts share

function words(text) {
  if (segmenter) return [...segmenter.segment(text)].map(({ segment, isWordLike }) => [segment, isWordLike]);
  return (text.match(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_]+/gu) ?? []).map((part) => [part, /[\p{L}\p{N}]/u.test(part)]);
}

const folded = (word) => word.normalize("NFKC").toLowerCase();
const vocabulary = (text) => new Set(words(text).filter(([, isWord]) => isWord).map(([word]) => folded(word)));

/** The share of the words of both that both have (Jaccard). */
function alike(one, other) {
  const shared = [...one].filter((word) => other.has(word)).length;
  return shared / Math.max(one.size + other.size - shared, 1);
}

function nearestOf(own, positives) {
  const pairs = positives.map((nearest) => ({ share: alike(own, nearest), nearest }));
  return pairs.reduce((best, pair) => (pair.share > best.share ? pair : best), { share: 0, nearest: new Set() });
}

/** A text whose words that are not in a vocabulary are marked. */
function marked(text, known) {
  const parts = words(text).map(([part, isWord]) => (isWord && !known.has(folded(part)) ? make("mark", {}, part) : part));
  return make("pre", { dir: "auto" }, ...parts);
}

// ---- One query, opened

/** Fill the columns of the table of passages; a column that is empty in every row is left out. */
function passageTable(rows) {
  const names = Object.keys(rows[0]?.cells ?? {}).filter((name) => rows.some(({ cells }) => cells[name] !== ""));
  const heads = names.map((name) => make("th", { scope: "col", class: `c-${name}` }, name));
  const body = rows.map(({ kind, cells }) =>
    make("tr", { class: kind }, ...names.map((name) => make("td", { "data-label": name, class: `c-${name}` }, cells[name]))),
  );
  const head = make("thead", {}, make("tr", {}, ...heads));
  return make("div", { class: "wide" }, make("table", { class: "passages" }, head, make("tbody", {}, ...body)));
}

function verdictCell(verdict, label, notes) {
  const spot = make("i", { class: colour(verdict) });
  const small = notes.filter(Boolean).map((text) => make("span", { class: "note" }, text));
  return make("div", {}, make("span", {}, spot, label), ...small);
}

function positiveRow(texts, [passage, rank, score, judge, relabelled]) {
  const cells = {
    rank: rank === null ? "deeper" : String(rank),
    score: decimals(score),
    margin: "",
    judge: decimals(judge),
    alike: "",
    verdict: verdictCell("is_positive", relabelled ? "positive, by the judge" : "positive", []),
    passage: make("pre", { dir: "auto" }, texts[passage]),
  };
  return { kind: "is-positive", cells };
}

function candidateRow(texts, positives, [passage, rank, score, margin, judge, refusedBy, relevance]) {
  const { share, nearest } = nearestOf(vocabulary(texts[passage]), positives);
  const isRefused = (refusedBy & inspection.rules.duplicates_positive) !== 0;
  const isCopy = isRefused || share >= ALIKE;
  const [verdict, ...others] = refusedBy === 0 ? ["keep"] : rulesIn(refusedBy);
  const text = isCopy ? marked(texts[passage], nearest) : make("pre", { dir: "auto" }, texts[passage]);
  const own = text.querySelector("mark") ? "words that the positive lacks are marked" : "the same words as far as shown";
  const notes = [
    others.length ? `also: ${others.map(worded).join(", ")}` : "",
    relevance === null ? "" : `judged: relevance ${relevance}`,
    isCopy ? `${isRefused ? "near copy of" : "much like"} a positive: ${own}` : "",
  ];
  const cells = {
    rank: String(rank),
    score: decimals(score),
    margin: decimals(margin),
    judge: decimals(judge),
    alike: percent(share),
    verdict: verdictCell(verdict, worded(verdict), notes),
    passage: text,
  };
  return { kind: isCopy ? "copy" : "other", cells };
}

function openedQuery(query) {
  const texts = passages()[query.dataset];
  const positives = query.known.map(([passage]) => vocabulary(texts[passage]));
  const rows = [
    ...query.known.map((row) => positiveRow(texts, row)),
    ...query.mined.map((row) => candidateRow(texts, positives, row)),
  ];
  const counts =
    `${query.known.length} of ${whole.format(query.positives ?? 0)} positives and ${query.mined.length} of ` +
    `${whole.format(query.found)} candidates: the first kept, the first refused, near copies before others. ` +
    "Alike: the words that a candidate shares with its nearest positive.";
  const head = make("p", { class: "hint" }, make("bdi", { class: "id" }, query.id), make("br"), counts);
  return make("div", { class: "opened" }, head, passageTable(rows));
}

// ---- The list of queries

const QUERY_COLUMNS = [
  { name: "query", says: "its text", value: (query) => query.text },
  { name: "dataset", says: "where it is from", value: (query) => query.dataset },
  { name: "positives", says: "passages judged relevant", value: (query) => query.positives ?? 0 },
  { name: "best", says: "the best rank of a positive", value: (query) => query.best ?? null },
  { name: "kept", says: "candidates that no rule refuses", value: (query) => query.kept },
  { name: "margin", says: "the smallest margin of a kept candidate", value: (query) => query.margin ?? null, show: decimals },
  { name: "copies", says: "near copies of a positive that were refused", value: (query) => query.copies },
  { name: "judge", says: "the judge's highest score of a kept candidate", value: (query) => query.judge ?? null, show: decimals },
];

/** Compare two values of a column; what is missing comes last in either direction. */
function compare(one, other, direction) {
  if (one === null || other === null) return (one === null) - (other === null);
  return direction * (typeof one === "string" ? collator.compare(one, other) : one - other);
}

class Browser {
  constructor(place, datasets) {
    this.queries = datasets.flatMap(({ name, queries }) => queries.map((query) => ({ ...query, dataset: name })));
    this.queries.forEach((query, number) => {
      query.number = number;
      query.searched = folded(`${query.text} ${query.id}`);
    });
    this.columns = QUERY_COLUMNS.filter(({ name }) => name !== "judge" || this.queries.some((query) => query.judge !== undefined));
    this.sorted = { column: null, direction: 1 };
    this.first = 0;
    this.build(place, datasets.map(({ name }) => name));
    this.update();
  }

  build(place, names) {
    const changed = () => this.update();
    this.search = make("input", { type: "search", id: "search", placeholder: "words, or an id", input: changed });
    const choices = ["all", ...names].map((name) => make("option", { value: name === "all" ? "" : name }, name));
    this.dataset = make("select", { id: "dataset", change: changed }, ...choices);
    this.heads = this.columns.map((column) => this.head(column));
    this.body = make("tbody", {});
    this.status = make("p", { class: "status", role: "status" });
    this.back = make("button", { type: "button", click: () => this.turn(-PAGE_SIZE) }, "Previous");
    this.next = make("button", { type: "button", click: () => this.turn(PAGE_SIZE) }, "Next");
    place.replaceChildren(
      make(
        "div",
        { class: "controls", role: "search" },
        make("label", { for: "search" }, "Search", this.search),
        make("label", { for: "dataset" }, "Dataset", this.dataset),
      ),
      make("div", { class: "wide" }, make("table", { class: "queries" }, make("thead", {}, make("tr", {}, ...this.heads)), this.body)),
      make("div", { class: "pager" }, this.back, this.status, this.next),
    );
  }

  head(column) {
    const button = make("button", { type: "button", title: column.says, click: () => this.sort(column) }, column.name);
    return make("th", { scope: "col", class: `c-${column.name}` }, button);
  }

  sort(column) {
    const again = this.sorted.column === column;
    this.sorted = { column, direction: again ? -this.sorted.direction : 1 };
    this.heads.forEach((head, place) => {
      const isSorted = this.columns[place] === column;
      if (isSorted) head.setAttribute("aria-sort", this.sorted.direction > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    this.update();
  }

  turn(by) {
    this.first += by;
    this.show();
    document.getElementById("queries").scrollIntoView();
  }

  only(dataset) {
    this.dataset.value = dataset;
    this.search.value = "";
    this.update();
    document.getElementById("queries").scrollIntoView();
    this.search.focus({ preventScroll: true });
  }

  update() {
    const wanted = folded(this.search.value).split(/\s+/).filter(Boolean);
    const fits = (query) =>
      (this.dataset.value === "" || query.dataset === this.dataset.value) && wanted.every((word) => query.searched.includes(word));
    this.found = this.queries.filter(fits);
    const { column, direction } = this.sorted;
    if (column) {
      this.found.sort((one, other) => compare(column.value(one), column.value(other), direction) || one.number - other.number);
    }
    this.first = 0;
    this.show();
  }

  show() {
    const rows = this.found.slice(this.first, this.first + PAGE_SIZE);
    this.body.replaceChildren(...rows.map((query) => this.row(query)));
    const last = this.first + rows.length;
    const range = rows.length ? `${whole.format(this.first + 1)} to ${whole.format(last)} of ` : "";
    this.status.textContent = `${range}${whole.format(this.found.length)} queries`;
    this.back.disabled = this.first === 0;
    this.next.disabled = last >= this.found.length;
  }

  row(query) {
    const button = make("button", { type: "button", class: "open", dir: "auto", "aria-expanded": "false" }, query.text || query.id);
    const row = make("tr", {});
    this.columns.forEach((column, place) => {
      const value = column.value(query);
      const text = typeof value === "number" && !column.show ? whole.format(value) : (column.show ?? ((shown) => shown ?? ""))(value);
      row.append(make("td", { "data-label": column.name, class: `c-${column.name}` }, place === 0 ? button : text));
    });
    button.addEventListener("click", () => this.toggle(row, button, query));
    return row;
  }

  toggle(row, button, query) {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) {
      row.nextElementSibling.remove();
      button.removeAttribute("aria-controls");
      return;
    }
    const id = `query-${query.number}`;
    row.after(make("tr", { class: "detail", id }, make("td", { colspan: this.columns.length }, openedQuery(query))));
    button.setAttribute("aria-controls", id);
  }
}

// ---- Start

const browser = new Browser(document.getElementById("browser"), inspection.datasets);
inspection.datasets.forEach(addWhatIf);
for (const button of document.querySelectorAll(".look")) {
  button.hidden = false;
  button.addEventListener("click", () => browser.only(button.dataset.dataset));
}
performance.mark("ready");
