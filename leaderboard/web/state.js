// What is looked at: the choices of the reader, kept in the address, and the view that follows from them.
const START = {
  section: String(core.opens), split: "", profile: "", protocol: "", cells: "score", search: "", method: "", encoder: "", origin: "",
  dataset: "", family: "", script: "", size: "", sort: "", order: "", page: "0", first: "", second: "",
};
const state = { ...START };
let seen = null; // the view in sight: its section, its data, and what is derived from them

function recall() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(START)) if (given.has(name)) state[name] = given.get(name);
  if (!core.sections[Number(state.section)]) state.section = START.section;
}

function remember() {
  const kept = Object.entries(state).filter(([name, value]) => value !== START[name]);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

// The choices that the section offers, each of those before it given.
function offered() {
  const section = core.sections[Number(state.section)];
  const splits = [...new Set(section.views.map((view) => view.split))];
  state.split = splits.includes(state.split) ? state.split : splits[0];
  const ofSplit = section.views.filter((view) => view.split === state.split);
  const profiles = [...new Set(ofSplit.map((view) => view.profile))];
  state.profile = profiles.includes(state.profile) ? state.profile : profiles[0];
  const views = ofSplit.filter((view) => view.profile === state.profile);
  const names = views.map((view) => view.protocol);
  const usual = names.includes(section.true) ? section.true : names[0];
  state.protocol = names.includes(state.protocol) ? state.protocol : usual;
  return { section, splits, profiles, views, view: views.find((view) => view.protocol === state.protocol) };
}

// Whether the view is in sight; it is not where another one was chosen while its data were read.
async function look() {
  const { section, view } = offered();
  const data = await block(view.block);
  if (offered().view !== view) return false;
  const position = new Map(data.lines.map((line, number) => [line, number]));
  const pairs = new Map((data.pairs || []).map((pair) => [pair.pair.join(" "), pair]));
  const matched = [...new Set((data.pairs || []).flatMap((pair) => pair.seeds))].filter(Boolean).sort((a, b) => a - b);
  const [ranks, bold] = [(data.ranks || []).map(counted), (data.bold || []).map((rows) => new Set(rows))];
  seen = { section, view, data, position, pairs, matched, places: places(section, data), ranks, bold };
  return true;
}

// The ranks at one place, and how many entries have each.
function counted(of) {
  const many = new Map();
  for (const rank of Object.values(of)) many.set(rank, (many.get(rank) || 0) + 1);
  return { of, many };
}

// Groups first, then languages: everything that there is a score of, in the order that the evidence has, too.
function places(section, data) {
  const groups = section.groups.map((group, number) => ({
    name: group.name, group: true, size: group.corpora.length, column: data.groups[number],
  }));
  const corpora = section.corpora.map((corpus, number) => ({ ...corpus, group: false, column: data.cells[number] }));
  return [...groups, ...corpora].map((place, number) => ({ ...place, number }));
}

const fact = (row, name) => seen.section.lines[name][seen.data.lines[row]];
const mean = (row, place) => (place.column ? place.column.mean[row] : null);
const fixed = (value) => value.toFixed(1);
const signed = (value) => (fixed(Math.abs(value)) === "0.0" ? "0.0" : (value > 0 ? "+" : "−") + fixed(Math.abs(value)));
const remark = (row, place, name) => {
  const found = place.column && place.column[name] ? place.column[name][row] : undefined;
  return found === undefined ? "" : seen.data.texts[found];
};

function seeds(row, place) {
  const other = place.column && place.column.n;
  return other && row in other ? other[row] : fact(row, "n");
}

function baseline(row) {
  const line = fact(row, "baseline");
  return line === null ? undefined : seen.position.get(line);
}

// One entry less another: from the evidence where there is some, over the matched seeds; else of the two means alone.
function difference(row, other, place) {
  const straight = seen.pairs.get(`${row} ${other}`);
  const pair = straight || seen.pairs.get(`${other} ${row}`);
  const [own, its] = [mean(row, place), mean(other, place)];
  if (pair && pair.difference[place.number] !== null) {
    const means = pair.means?.[place.number];
    const both = means ? (straight ? means : [...means].reverse()) : [own, its];
    return { ...judged(pair, straight ? 1 : -1, place.number), own: both[0], its: both[1] };
  }
  return own === null || its === null ? null : { value: own - its, own, its };
}

function judged(pair, sign, number) {
  const ends = [sign * pair.low[number], sign * pair.high[number]];
  const [low, high] = sign > 0 ? ends : ends.reverse();
  const matched = Array.isArray(pair.seeds) ? pair.seeds[number] : pair.seeds;
  return {
    value: sign * pair.difference[number], low, high, seeds: matched, known: true,
    p: pair.p_holm[number], supported: pair.supported[number] === "1",
  };
}

function rank(row, place) {
  const ranks = seen.ranks[place.number];
  return ranks && row in ranks.of ? { rank: ranks.of[row], shared: ranks.many.get(ranks.of[row]) > 1 } : null;
}

// Whether anybody has a rank over all targets.
const ranked = () => Boolean(seen.ranks[seen.section.total]?.many.size);

// Bold are the best and what the data does not tell apart from it, where it shows that something is worse.
const best = (row, place) => Boolean(seen.bold[place.number]?.has(row));

const rankText = (own) => (own === null ? "–" : `${own.shared ? "=" : ""}${own.rank}`);
