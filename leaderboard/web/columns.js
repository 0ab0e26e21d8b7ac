// The columns of the two tables: a value to sort by, and a cell to look at.
const shownPlaces = () => seen.places.filter((place) => !place.group && place.column && fits(place));

const entryColumn = (marks) => ({
  key: "entry", title: "Entry", text: true, first: "up", value: (row) => fact(row, "label"), cell: (row) => entryCell(row, marks),
});

// Published lines are marked wherever they stand; `marks` are facts that are marked as well, with their words.
function entryCell(row, marks = {}) {
  const marked = Object.entries({ published: "published", ...marks }).filter(([name]) => fact(row, name));
  const badges = marked.map(([, text]) => make("span", { class: "badge" }, text));
  return [cellButton(() => openEntry(row), {}, ...breakable(fact(row, "label"))), ...badges];
}

function groupColumns() {
  const total = seen.places[seen.section.total];
  const rankColumn = {
    key: "rank", title: "Rank", about: `in ${total.name}; entries that the data does not tell apart share one`,
    first: "up", value: (row) => rank(row, total)?.rank ?? null, cell: (row) => plainCell(rankText(rank(row, total))),
  };
  const groups = seen.places.filter((place) => place.group).map((place) => scoreColumn(place, groupText));
  return [
    entryColumn({ departs: "other settings" }), ...(ranked() ? [rankColumn] : []), ...groups, ...rankColumns(),
    ...(commonEncoder() ? [] : [encoderColumn()]), ...factColumns(),
  ];
}

// The encoder, where all entries have the same: then it is no column.
function commonEncoder() {
  const every = new Set(seen.data.lines.map((line) => seen.section.lines.encoder[line]));
  return every.size === 1 ? [...every][0] : "";
}

function encoderColumn() {
  const value = (row) => fact(row, "encoder");
  return { key: "encoder", title: "Encoder", text: true, first: "up", value, cell: (row) => make("td", { class: "plain left" }, value(row)) };
}

// Beside the means: over the languages that all own entries have.
function rankColumns() {
  const column = (key, title, first, digits) => ({
    key, title, first, about: "over the languages that all own entries have",
    value: (row) => seen.data[key][row],
    cell: (row) => plainCell(seen.data[key][row] === null ? "–" : seen.data[key][row].toFixed(digits)),
  });
  return seen.data.mean_rank ? [column("mean_rank", "Mean rank", "up", 1), column("borda", "Borda", "down", 0)] : [];
}

// Seeds and costs of the entry. Costs are no differences, whose intervals need the room.
function factColumns() {
  const told = core.facts.filter((one) => state.cells === "score" || !one.unit);
  const shown = told.filter((one) => seen.data.lines.some((line) => seen.section.lines[one.name][line] !== null));
  return shown.map((one) => ({
    key: one.name, title: one.title, about: one.about, first: "up",
    value: (row) => fact(row, one.name), cell: (row) => plainCell(factText(one, fact(row, one.name))),
  }));
}

function factText(one, value) {
  if (value === null) return "–";
  if (one.unit === "s") return duration(value);
  return one.unit ? `${value.toLocaleString("en")} ${one.unit}` : String(value);
}

function duration(seconds) {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function languageColumns() {
  const shown = shownPlaces();
  const floors = shown.some((place) => place.smallest !== null);
  const columns = shown.map((place) => ({
    ...scoreColumn(place, cellText), width: state.cells === "score" ? "narrow" : "wide", over: place.dataset,
    ...(floors ? { floor: place.smallest === null ? "" : fixed(place.smallest) } : {}),
  }));
  const name = { ...entryColumn(), width: shown.length > 12 ? "names" : "names few", ...(floors ? { floor: "Smallest difference that the test set could show" } : {}) };
  return [name, ...(filtersLanguages() ? [shownMean(shown)] : []), ...columns];
}

// The unweighted mean of the languages that the filters leave; none where one of them has no score.
function shownMean(shown) {
  const known = (row) => shown.map((place) => mean(row, place)).filter((value) => value !== null);
  const value = (row) => (known(row).length === shown.length ? known(row).reduce((sum, one) => sum + one, 0) / shown.length : null);
  const text = (row) => (value(row) === null ? `${known(row).length}/${shown.length}` : fixed(value(row)));
  return {
    key: "shown", title: `Mean score of these ${shown.length}`, about: "of the languages that the filters leave, unweighted", place: true, over: " ", width: "wide",
    value, cell: (row) => plainCell(text(row), value(row) === null),
  };
}

const plainCell = (text, missing = false) => make("td", { class: missing ? "plain missing" : "plain" }, text);

function scoreColumn(place, text) {
  return {
    key: `p${place.number}`, title: place.name, about: place.source ? "trained on" : "", place: !place.group,
    value: (row) => (state.cells === "difference" ? changed(row, place)?.value ?? null : mean(row, place)),
    cell: (row) => scoreCell(row, place, text),
  };
}

function changed(row, place) {
  const other = baseline(row);
  return other === undefined ? null : difference(row, other, place);
}

function scoreCell(row, place, text) {
  const shown = state.cells === "difference" ? differenceCell(row, place) : meanCell(row, place, text);
  const button = cellButton(() => openCell(row, place), { class: shown.bold ? "best" : null }, ...shown.parts);
  return make("td", { class: shown.step || null }, button);
}

function meanCell(row, place, text) {
  const value = mean(row, place);
  if (value === null) return { step: "missing", parts: [missingText(row, place)] };
  const step = place.group ? "" : `f${Math.min(9, Math.max(0, Math.floor(value / 10)))}`;
  return { step, bold: best(row, place), parts: text(row, place, value) };
}

const missingText = (row, place) => (place.group && place.column.scored && row in place.column.scored
  ? `${place.column.scored[row]}/${place.size}` : "–");

const cellText = (row, place, value) => [fixed(value)];

function groupText(row, place, value) {
  const spread = place.column.std ? place.column.std[row] : null;
  const count = seeds(row, place);
  const more = (spread === null ? "" : ` ± ${fixed(spread)}`) + (count === null ? "" : ` (${count})`);
  return more ? [fixed(value), make("span", { class: "spread" }, more)] : [fixed(value)];
}

function differenceCell(row, place) {
  const found = changed(row, place);
  if (found === null) return { step: "missing", parts: [baseline(row) === undefined && mean(row, place) !== null ? "·" : "–"] };
  const parts = [...supportSign(found), signed(found.value)];
  if (place.group && found.known) parts.push(make("span", { class: "spread" }, ` [${signed(found.low)}, ${signed(found.high)}] (${found.seeds})`));
  return { step: place.group ? "" : differenceStep(found), parts };
}

// An arrow for the eye, a word for the ear.
function supportSign(found) {
  if (!found.known) return [];
  const sign = make("span", { class: "sign", "aria-hidden": "true" }, found.supported ? arrow(found.value) : "");
  return found.supported ? [sign, make("span", { class: "unseen" }, "supported, ")] : [sign];
}

const arrow = (value) => (value > 0 ? "▲" : "▼");
const BANDS = [0.5, 1, 2, 5, 10]; // points; a step of colour each

// A colour says that the data supports the difference, and hatching that it does not.
function differenceStep(found) {
  const steps = BANDS.filter((band) => Number(fixed(Math.abs(found.value))) >= band).length;
  if (!steps) return "";
  return found.supported ? (found.value > 0 ? "u" : "d") + steps : "hatched";
}
