// What stands behind a cell or an entry.
async function openCell(row, place) {
  await open(row, `${fact(row, "label")}: ${place.name}`, [...placeFacts(place), ...scoreFacts(row, place), ...judgement(row, place)]);
}

const openEntry = (row) => open(row, fact(row, "label"), []);

async function open(row, title, facts) {
  const known = await block(seen.section.details);
  const line = seen.data.lines[row];
  say("details-title", title);
  at("facts").replaceChildren(...[...facts, ...entryFacts(row, line, known)].filter(([, text]) => text !== "").flatMap(
    ([name, text]) => [make("dt", {}, name), make("dd", {}, ...[text].flat())]));
  say("command", known.command[line]);
  at("command").hidden = at("copy").hidden = !known.command[line];
  at("against").hidden = baseline(row) === undefined;
  at("against").onclick = () => { at("details").close(); choose(row, baseline(row)); at("compare-title").scrollIntoView(); at("first").focus(); };
  at("copy").onclick = () => copy(known.command[line]);
  say("copy", "Copy the command");
  at("details").showModal();
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("copy", "Copied");
  } catch {
    getSelection().selectAllChildren(at("command"));
    say("copy", "Selected: copy it with the keyboard");
  }
}

function placeFacts(place) {
  if (place.group) return [["Group", `the unweighted mean of ${place.size} languages`]];
  const sentences = place.test === null ? "" : `${place.test.toLocaleString("en")}`;
  return [
    ["Language", `${place.name}, ${place.dataset}${place.source ? ", trained on" : ""}`],
    ["Family, script", `${place.family}, ${place.script}`], ["Own training sentences", place.size], ["Test sentences", sentences],
  ];
}

function scoreFacts(row, place) {
  const column = place.column;
  const rate = (hits, others) => (hits + others ? fixed((100 * hits) / (hits + others)) : "–");
  const [tp, fp, fn] = ["tp", "fp", "fn"].map((name) => (column && column[name] ? column[name][row] : null));
  const change = column && column.change && row in column.change ? `${signed(column.change[row])} %` : "";
  const counts = tp === null ? [] : [
    ["Precision, recall", `${rate(tp, fp)}, ${rate(tp, fn)}`],
    ["Counts, all seeds", `${count(tp)} right, ${count(fp)} invented, ${count(fn)} missed, of ${count(tp + fn)}`],
  ];
  return [
    [seen.section.metrics[state.profile], scoreText(row, place)], ["Change from the regular test split", change], ...counts,
    ["Macro F1 of the types", column && column.macro && column.macro[row] !== null ? fixed(column.macro[row]) : ""],
    ["Published in", remark(row, place, "reference")], ["Note", remark(row, place, "note")],
  ];
}

const count = (number) => number.toLocaleString("en");

function scoreText(row, place) {
  const value = mean(row, place);
  if (value === null) return `none: ${remark(row, place, "reason") || (place.group ? `${missingText(row, place)} languages have a score` : "not known why")}`;
  const spread = place.column.std ? place.column.std[row] : null;
  const many = seeds(row, place);
  const of = many === null ? "number of seeds not said" : `${many} ${many === 1 ? "seed" : "seeds"}`;
  return spread === null ? `${fixed(value)} (${of}; no spread)` : `${fixed(value)} ± ${fixed(spread)} (mean and standard deviation, ${of})`;
}

function judgement(row, place) {
  const other = baseline(row);
  const found = other === undefined ? null : difference(row, other, place);
  const own = rank(row, place);
  return [
    ["Rank here", own === null ? "" : `${own.rank}${own.shared ? ", shared: the data does not tell them apart" : ""}`],
    found === null ? ["Difference", ""] : [`Less ${fact(other, "label")}`, prose(differenceText(found, row, other))],
    ["Smallest difference that this test set could show", place.smallest === null || place.smallest === undefined ? "" : `${fixed(place.smallest)} points`],
  ];
}

function differenceText(found, row, other) {
  if (!found.known) return `${signed(found.value)} points; no interval: ${whyNone(row, other)}`;
  const matched = `${fixed(found.own)} less ${fixed(found.its)} over ${matchedSeeds(found.seeds)}`;
  const verdict = found.supported ? "the data supports it" : found.seeds < 2 ? ONE_SEED : "the data does not support it";
  return `${signed(found.value)} points: ${matched}; 95 % interval ${signed(found.low)} to ${signed(found.high)}, ${probability(found.p)}: ${verdict}`;
}

const ONE_SEED = "one seed supports nothing, run more";
const matchedSeeds = (many) => `${many} matched ${many === 1 ? "seed" : "seeds"}`;
const probability = (p) => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);
const whyNone = (row, other) => fact(row, "without") || fact(other, "without") || seen.data.unjudged
  || "this pair was not compared (it has no seed and test data in common, or is of many: each entry is compared with the baseline and the best)";

function entryFacts(row, line, known) {
  const costs = core.facts.filter((one) => one.unit && fact(row, one.name) !== null);
  const why = fact(row, "without") || seen.data.unjudged || "";
  return [
    ["Origin", fact(row, "published") ? "published: a paper's own numbers" : "computed by xner-bench"],
    ["Method", `${fact(row, "method")}${known.options[line] ? `: ${known.options[line]}` : ""}`], ["Encoder", fact(row, "encoder")],
    ["Other than the suite", known.departures[line]], ["Training", known.training[line]],
    ...costs.map((one) => [one.title, factText(one, fact(row, one.name))]),
    ["No estimate of energy", fact(row, "published") ? "" : known.no_energy[line]], ["Why no interval", why && prose(why)], ["Runs", known.runs[line].join(", ")],
  ];
}
